-- Exports of provenance by scope: the objects of a type, and when an object was withdrawn and restored.

CREATE INDEX objects_type ON objects (type, pid);

-- Few events are either, and what the others say need not be read for it.
CREATE INDEX events_turns ON events (originator_id, originator_version)
 WHERE topic IN ('ods:Tombstone', 'ods:Restore');
