-- Which versions an agent had a part in, and which objects are of a type: for exports of provenance by scope.

CREATE INDEX versions_agents ON versions USING gin (agents jsonb_path_ops);
CREATE INDEX objects_type ON objects (type, pid);

-- When an object was withdrawn and restored, without reading its other events. Few events are either.
CREATE INDEX events_turns ON events (originator_id, originator_version)
 WHERE topic IN ('ods:Tombstone', 'ods:Restore');
