-- name: positions
SELECT name, version, position FROM projections

-- name: lock_positions
SELECT name, version, position FROM projections WHERE name = ANY(%b) ORDER BY name FOR UPDATE

-- name: ensure_position
INSERT INTO projections (name, version, position) VALUES (%b, %b, 0) ON CONFLICT DO NOTHING

-- name: set_positions
UPDATE projections SET position = %b WHERE name = ANY(%b)

-- name: position_of
SELECT position FROM projections WHERE name = %b

-- name: lower_position
UPDATE projections SET position = least(position, %b) WHERE name = %b

-- name: forget_position
DELETE FROM projections WHERE name = %b

-- name: upsert_objects
INSERT INTO objects (pid, type, version, tombstoned, digest, document, created_at, recorded, occurred)
SELECT * FROM unnest(%b::text[], %b::text[], %b::bigint[], %b::boolean[], %b::bytea[], %b::bytea[],
                     %b::timestamptz[], %b::timestamptz[], %b::timestamptz[])
ON CONFLICT (pid) DO UPDATE
   SET version = excluded.version, tombstoned = excluded.tombstoned, digest = excluded.digest,
       document = excluded.document, recorded = excluded.recorded, occurred = excluded.occurred

-- name: current_object
SELECT type, version, tombstoned, document, created_at, recorded, occurred
  FROM objects
 WHERE pid = %b AND version = (SELECT originator_version
                                 FROM events
                                WHERE originator_id = %b
                                ORDER BY originator_version DESC
                                LIMIT 1)

-- name: stored_objects
SELECT pid, type, version, tombstoned, digest, document, created_at, recorded, occurred
  FROM objects WHERE pid = ANY(%b)

-- name: stored_versions
SELECT pid, version, position, activity, activity_type, recorded, occurred, agents, comment,
       cause_kind, cause_id, source, digest, terms, undoes
  FROM versions WHERE pid = ANY(%b) ORDER BY pid, version

-- name: standing_terms
SELECT pid, standing, version, ordinal FROM terms WHERE pid = ANY(%b) AND standing IS NOT NULL

-- name: move_terms
UPDATE terms
   SET standing = moved.standing
  FROM unnest(%b::text[], %b::bigint[], %b::int[], %b::text[]) AS moved (pid, version, ordinal, standing)
 WHERE terms.pid = moved.pid AND terms.version = moved.version AND terms.ordinal = moved.ordinal

-- name: stored_terms
SELECT pid, version, ordinal, term, pointer, standing, old, new
  FROM terms WHERE pid = ANY(%b) ORDER BY pid, version, ordinal

-- name: collection
SELECT type, key, pid FROM natural_keys
 WHERE source = %b AND (type, key) > (%b, %b) AND (%b OR type <> 'ods:DigitalMedia')
 ORDER BY type, key
 LIMIT %b
