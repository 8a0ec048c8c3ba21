"""Saving and reading through Django, in one process with everything else that is measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import django
from django.apps import apps
from django.conf import settings
from django.db import connections, transaction
from psycopg.conninfo import conninfo_to_dict
from simple_history.utils import bulk_create_with_history

from benchmarks.documents import Document
from benchmarks.peers.store import NotMeasured, Store, own_schema

_APPLICATION = "benchmarks.peers.django_history"


class SimpleHistory(Store):
    """A save with its row of history is one transaction here; ``held`` is the model's instance."""

    name = "django-simple-history"
    package = "django-simple-history"

    def __init__(self, conninfo: str, schema: str) -> None:
        super().__init__(conninfo, schema)
        self._model: Any = apps.get_model("django_history", "Specimen")
        with connections["default"].schema_editor() as editor:
            for model in apps.get_models():
                editor.create_model(model)

    def create(self, pid: str, document: Document) -> Any:
        with transaction.atomic():
            return self._model.objects.create(id=pid, document=document)

    def change(self, held: Any, document: Document) -> Any:
        held.document = document
        with transaction.atomic():
            held.save()
        return held

    def create_many(self, documents: Mapping[str, Document]) -> None:
        specimens = [self._model(id=pid, document=document) for pid, document in documents.items()]
        bulk_create_with_history(specimens, self._model)

    def current(self, pid: str) -> Document:
        found: Document = self._model.objects.get(pk=pid).document
        return found

    def version(self, pid: str, number: int) -> Document:
        found: Document = self._row(pid, number).instance.document
        return found

    def as_of(self, pid: str, moment: datetime) -> Document:
        found: Document = self._model(pk=pid).history.as_of(moment).document
        return found

    def recorded(self, pid: str, number: int) -> datetime:
        moment: datetime = self._row(pid, number).history_date
        return moment

    def leave(self) -> None:
        connections.close_all()

    def _row(self, pid: str, number: int) -> Any:
        """A version by its number, which this library does not count."""
        return self._model.history.filter(id=pid).order_by("history_id")[number - 1]


@contextmanager
def open_store(conninfo: str) -> Iterator[SimpleHistory]:
    """The tables of the model, its history and Django's users in a schema of their own.

    Django is told its database once a process: :class:`NotMeasured` after that.
    """
    if settings.configured:
        raise NotMeasured("Django was set up before in this process")
    with own_schema(conninfo) as schema:
        known: dict[str, Any] = dict(conninfo_to_dict(conninfo))
        database = {
            "ENGINE": "django.db.backends.postgresql",
            **{key.upper(): known.pop(key, "") for key in ("host", "port", "user", "password")},
            "NAME": known.pop("dbname", ""),
            "OPTIONS": {**known, "options": f"-c search_path={schema}"},
        }
        settings.configure(
            DATABASES={"default": database},
            INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "simple_history", _APPLICATION],
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            USE_TZ=True,
        )
        django.setup()
        store = SimpleHistory(conninfo, schema)
        try:
            yield store
        finally:
            store.leave()
