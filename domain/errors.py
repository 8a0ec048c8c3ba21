"""Every error a user of the store can cause or meet.

ProvenariumError
├── RefusedInput            the input breaks a rule; nothing was stored
│   ├── UnrepresentableJson     JSON that cannot be kept exactly
│   ├── InvalidPatch            a patch that is malformed or does not apply
│   ├── InvalidDocument         a document the store cannot accept
│   ├── InvalidIdentifier       a PID or agent identifier of the wrong form
│   ├── InvalidTime             a time without zone, or no time at all
│   ├── InvalidArchive          a source that is not what it says, or hostile
│   ├── InvalidNote             a signed note, checkpoint or verifier key of the wrong form
│   ├── InvalidTile             a tile, bundle or path of the wrong form, or an entry too large
│   ├── UnsafeKeys              a key folder that others can read, or that cannot be used
│   └── NothingToChange         the new state equals the present one
├── NotFound                no such object, version, run, source or term
├── Conflict                the present state forbids this change
│   ├── VersionConflict         somebody else wrote this version first
│   └── SourceBusy              another run is synchronising this source
├── IntegrityFailure        what is stored does not add up
│   ├── InvalidProof            a Merkle proof does not lead to the root
│   └── InvalidSignature        a note that no trusted key has signed
├── ProjectionFailed        a projection cannot take an event in, and stands still before it
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


class InvalidNote(RefusedInput):
    """A signed note, a checkpoint, a key name or a verifier key that its specification does not allow."""


class InvalidTile(RefusedInput):
    """A tile, entry bundle or path that tlog-tiles does not allow, or an entry too large for a bundle."""


class UnsafeKeys(RefusedInput):
    """A key folder or file that other accounts can reach, or that does not hold what is needed."""


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


class InvalidProof(IntegrityFailure):
    """An inclusion or consistency proof that does not lead to the root it should."""


class InvalidSignature(IntegrityFailure):
    """A note that carries no valid signature of a trusted key, or a wrong one."""


class ProjectionFailed(ProvenariumError):
    """A projection cannot take an event in; it stands still before it until the program or the event is mended.

    ``projection`` is its name, None when the event itself cannot be read or applied; ``pid``, ``version`` and
    ``position`` are the event's, ``cause`` says why.
    """

    def __init__(self, projection: str | None, pid: str, version: int, position: int, cause: str) -> None:
        who = f"the projection {projection}" if projection else "every projection"
        super().__init__(f"{who} stops before position {position} ({pid}/{version}), which it cannot take in: {cause}")
        self.projection, self.pid, self.version, self.position, self.cause = projection, pid, version, position, cause

    def __reduce__(self) -> tuple[type[ProjectionFailed], tuple[str | None, str, int, int, str]]:
        return ProjectionFailed, (self.projection, self.pid, self.version, self.position, self.cause)


class StoreUnavailable(ProvenariumError):
    """The database cannot be reached, started or prepared."""
