"""Every error a user of the store can cause or meet.

ProvenariumError
├── RefusedInput            the input breaks a rule; nothing was stored
│   ├── UnrepresentableJson     JSON that cannot be kept exactly
│   ├── InvalidPatch            a patch that is malformed or does not apply
│   ├── InvalidDocument         a document the store cannot accept
│   ├── InvalidIdentifier       a PID or agent identifier of the wrong form
│   ├── InvalidTime             a time without zone, or no time at all
│   ├── InvalidArchive          a source that is not what it says, or hostile
│   └── NothingToChange         the new state equals the present one
├── NotFound                no such object, version, run, source or term
├── Conflict                the present state forbids this change
│   ├── VersionConflict         somebody else wrote this version first
│   └── SourceBusy              another run is synchronising this source
├── IntegrityFailure        what is stored does not add up
└── StoreUnavailable        the database cannot be reached or prepared
"""

from __future__ import annotations


class ProvenariumError(Exception):
    """Base of all errors that carry a message for a person.

    ``str(error)`` is one line: what was wrong, where, and what to do.
    """


class RefusedInput(ProvenariumError):
    """The input breaks a rule; nothing was stored."""


class UnrepresentableJson(RefusedInput):
    """JSON that cannot be kept exactly (see ``domain.canonical``)."""


class InvalidPatch(RefusedInput):
    """A JSON Patch that is malformed, out of bounds or does not apply."""


class InvalidDocument(RefusedInput):
    """A document the store cannot accept as content of a digital object."""


class InvalidIdentifier(RefusedInput):
    """A PID, version id or agent identifier of the wrong form."""


class InvalidTime(RefusedInput):
    """A time without zone, or text that is no time."""


class InvalidArchive(RefusedInput):
    """A source archive that is malformed, hostile, or not what it says it is."""


class NothingToChange(RefusedInput):
    """The requested state equals the present one, so there is no event to record."""


class NotFound(ProvenariumError):
    """No such object, version, run, source or term."""


class Conflict(ProvenariumError):
    """The present state forbids this change."""


class VersionConflict(Conflict):
    """Somebody else wrote this version first; read again and retry."""


class SourceBusy(Conflict):
    """Another run is synchronising this source at this moment."""


class IntegrityFailure(ProvenariumError):
    """What is stored does not add up: a patch, a digest or an order is wrong."""


class StoreUnavailable(ProvenariumError):
    """The database cannot be reached, started or prepared."""
