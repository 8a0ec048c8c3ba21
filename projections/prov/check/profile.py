"""Our profile: what PROV-CONSTRAINTS cannot see, above all that the times told agree with the order of events.

It speaks only of a top level or bundle that uses ``ods:`` terms, so that anybody's provenance can be checked.

Times
    ``activity-times``: no activity ends before it starts. ``times-within-activity``: what is generated, used or
    invalidated in an activity has its time between start and end. ``use-after-generation`` and
    ``invalidation-after-generation``: neither is told at a time before the generation. ``nothing-after-invalidation``:
    after its invalidation nothing is used, derived from, or generated as a specialisation of it.
    ``specialisation-times``: nothing is generated before, nor invalidated after, what it is a specialisation of.

Activities
    ``no-use-of-own-output``: no activity uses what it generates.

Versions
    ``version-number``: ``ods:version`` is one whole number. ``content-digest``: each generated version has one
    ``ods:contentDigest``, and every digest is ``sha256:`` and 64 hexadecimal digits. ``generation-order``: versions of
    an object are generated in the order of their numbers. ``stream-position``: the ``ods:streamPosition`` of the
    activities that generate them increases likewise. ``revision-names-its-events``: the revision of a version names its
    activity, and a generation and usage that are stated. ``revision-of-previous-version``: each generated version but
    the first is a revision, and of the one before it. ``tombstone-invalidates``: the activity of a tombstone
    invalidates its object or the period of its validity.
"""

from __future__ import annotations

from projections.prov.check.profile_facts import facts
from projections.prov.check.profile_times import check_times
from projections.prov.check.profile_versions import check_versions
from projections.prov.check.statements import Instance


def check_profile(instance: Instance) -> None:
    """Report what breaks the profile; ``instance`` is normalised."""
    told = facts(instance)
    if told is not None:
        check_times(told)
        check_versions(told)
