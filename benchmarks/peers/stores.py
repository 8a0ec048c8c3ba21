"""Opens every store that can be measured here, and says why the others cannot."""

from __future__ import annotations

import importlib
from contextlib import ExitStack

from benchmarks.peers import eventsourcing_library, own, snapshots
from benchmarks.peers.store import NotMeasured, Store
from store.settings import Settings

OPTIONAL = {
    "django-simple-history": "benchmarks.peers.django_history.saving",
    "SQLAlchemy-Continuum": "benchmarks.peers.continuum",
    "message-db": "benchmarks.peers.message_db",
}
"""Modules of peers that need what is not installed for developing."""


def open_stores(settings: Settings, stack: ExitStack) -> tuple[list[Store], dict[str, str]]:
    """Provenarium first, then its peers, each empty; and by name why a peer is left out."""
    ours = stack.enter_context(own.open_store(settings))
    stores: list[Store] = [ours]
    stores.append(stack.enter_context(eventsourcing_library.open_store(ours.conninfo)))
    stores.append(stack.enter_context(snapshots.open_store(ours.conninfo)))
    left_out = {}
    for name, module in OPTIONAL.items():
        try:
            stores.append(stack.enter_context(importlib.import_module(module).open_store(ours.conninfo)))
        except ModuleNotFoundError as error:
            left_out[name] = f"{error.name} is not installed"
        except NotMeasured as reason:
            left_out[name] = str(reason)
    return stores, left_out
