"""The model, as the library's documentation would have it."""

from __future__ import annotations

from django.db import models
from simple_history.models import HistoricalRecords


class Specimen(models.Model):
    """A specimen with its document; each save also inserts a row into its history."""

    id = models.TextField(primary_key=True)
    document = models.JSONField()
    history = HistoricalRecords()

    def __str__(self) -> str:
        """Its PID."""
        return str(self.id)
