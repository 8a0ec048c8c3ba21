-- name: keys_that_disagree
SELECT r.type, r.key, r.pid, k.pid
  FROM source_records AS r
  LEFT JOIN natural_keys AS k ON k.source = r.source AND k.type = r.type AND k.key = r.key
 WHERE k.pid IS DISTINCT FROM r.pid
 LIMIT 100

-- name: keys_of
SELECT pid, source, type, key FROM natural_keys WHERE pid = ANY(%b) ORDER BY pid, source, type, key

-- name: objects_without_statement
SELECT k.type, k.key, k.pid
  FROM natural_keys AS k
 WHERE k.source <> ''
   AND NOT EXISTS (SELECT FROM source_records AS r WHERE r.source = k.source AND r.type = k.type AND r.key = k.key)
 LIMIT 100

-- name: events_without_run
SELECT v.pid, v.version, v.cause_id
  FROM versions AS v
 WHERE v.cause_kind IN ('run', 'revert')
   AND NOT EXISTS (SELECT FROM runs WHERE runs.id::text = v.cause_id)
 LIMIT 100

-- name: events_without_item
SELECT v.pid, v.version, v.cause_id
  FROM versions AS v
 WHERE v.cause_kind IN ('run', 'revert')
   AND NOT EXISTS (SELECT FROM run_items AS i
                    WHERE i.pid = v.pid AND i.version_after = v.version AND i.run::text = v.cause_id)
 LIMIT 100

-- name: items_without_event
SELECT i.run, i.ordinal, i.pid, i.version_after
  FROM run_items AS i
 WHERE i.version_after IS NOT NULL
   AND NOT EXISTS (SELECT FROM versions AS v
                    WHERE v.pid = i.pid AND v.version = i.version_after AND v.cause_id = i.run::text)
   -- Events that a run has recorded since the projections were brought up to date are in no row of theirs yet.
   AND NOT EXISTS (SELECT FROM events AS e
                    WHERE e.originator_id = i.pid AND e.originator_version = i.version_after
                      AND e.notification_id > (SELECT position FROM projections WHERE name = 'versions'))
 LIMIT 100

-- name: items_that_leap
SELECT run, ordinal, pid, version_before, version_after
  FROM run_items
 WHERE version_after IS NOT NULL AND coalesce(version_before, 0) + 1 <> version_after
 LIMIT 100

-- name: runs
SELECT id::text, source, archive, mapping FROM runs WHERE kind = 'sync' AND id::text = ANY(%b)

-- name: runs_of_another_kind
SELECT DISTINCT r.id, r.kind, v.cause_kind
  FROM versions AS v
  JOIN runs AS r ON r.id::text = v.cause_id
 WHERE v.cause_kind IN ('run', 'revert') AND (v.cause_kind = 'revert') <> (r.kind = 'revert')
 LIMIT 100

-- name: reversals_of_another_run
SELECT DISTINCT r.id, v.comment, r.reverts
  FROM versions AS v
  JOIN runs AS r ON r.id::text = v.cause_id
 WHERE v.cause_kind = 'revert' AND v.comment IS DISTINCT FROM 'reverts run ' || r.reverts
 LIMIT 100

-- name: reversals_of_nothing
SELECT r.id
  FROM runs AS r
 WHERE (r.kind = 'revert') <> (r.reverts IS NOT NULL)
    OR (r.kind = 'revert'
        AND NOT EXISTS (SELECT FROM runs AS target
                         WHERE target.id = r.reverts AND target.kind = 'sync' AND target.source = r.source
                           AND target.mapping = r.mapping))
 LIMIT 100

-- name: runs_reverted_by_another
SELECT r.id, r.reverted_by
  FROM runs AS r
 WHERE CASE WHEN r.reverted_by IS NULL
            THEN EXISTS (SELECT FROM runs AS reversal
                          WHERE reversal.reverts = r.id AND reversal.finished_at IS NOT NULL)
            ELSE NOT EXISTS (SELECT FROM runs AS reversal
                              WHERE reversal.id = r.reverted_by AND reversal.reverts = r.id
                                AND reversal.finished_at IS NOT NULL)
       END
 LIMIT 100

-- name: items_of_another_outcome
SELECT i.run, i.ordinal, i.outcome, v.activity_type
  FROM run_items AS i
  JOIN runs AS r ON r.id = i.run
  JOIN versions AS v ON v.pid = i.pid AND v.version = i.version_after
 WHERE i.outcome <> CASE WHEN r.kind = 'revert' THEN 'reverted'
                         WHEN v.activity_type = 'ods:Create' THEN 'created'
                         WHEN v.activity_type = 'ods:Update' THEN 'updated'
                         WHEN v.activity_type = 'ods:Restore' THEN 'restored'
                         ELSE 'tombstoned' END
 LIMIT 100

-- name: items_of_another_record
SELECT i.run, i.ordinal, i.type, i.key, i.pid
  FROM run_items AS i
  JOIN runs AS r ON r.id = i.run
 WHERE i.pid IS NOT NULL
   AND NOT EXISTS (SELECT FROM natural_keys AS k
                    WHERE k.pid = i.pid AND k.source = r.source AND k.type = i.type
                      AND k.key IS NOT DISTINCT FROM i.key)
 LIMIT 100

-- name: items_doubled
SELECT run, pid, version_after, count(*)
  FROM run_items
 WHERE version_after IS NOT NULL
 GROUP BY run, pid, version_after HAVING count(*) > 1
 LIMIT 100

-- name: statements_outdated
-- What the source said since makes a version of its own, unless its run was reverted, or a reversal that has not ended
-- has come to this object. A tombstone says nothing new.
SELECT s.type, s.key, s.version, v.version
  FROM source_records AS s
  JOIN versions AS v ON v.pid = s.pid AND v.version > s.version
  JOIN runs AS r ON r.id::text = v.cause_id AND r.source = s.source
 WHERE v.cause_kind = 'run' AND v.activity_type <> 'ods:Tombstone' AND r.reverted_by IS NULL
   AND NOT EXISTS (SELECT FROM runs AS reversal JOIN run_items AS i ON i.run = reversal.id
                    WHERE reversal.reverts = r.id AND i.pid = s.pid)
 LIMIT 100

-- name: statements_of_others
-- A version that curators made is what the source said only when a run found the source to agree with it.
SELECT s.type, s.key, s.version
  FROM source_records AS s
  JOIN versions AS v ON v.pid = s.pid AND v.version = s.version
 WHERE v.source IS DISTINCT FROM s.source
   AND NOT EXISTS (SELECT FROM run_items AS i
                    WHERE i.pid = s.pid AND i.version_before = s.version AND i.outcome = 'agreed')
 LIMIT 100

-- name: statements_of_no_run
SELECT s.type, s.key, s.run
  FROM source_records AS s
 WHERE NOT EXISTS (SELECT FROM runs WHERE runs.id = s.run AND runs.source = s.source)
 LIMIT 100

-- name: statements_withdrawn
-- Only what tombstoned the object, a run or a reversal, says that its source no longer has the record.
SELECT s.type, s.key, s.pid
  FROM source_records AS s
 WHERE NOT s.present
   AND NOT EXISTS (SELECT FROM versions AS v JOIN runs AS r ON r.id::text = v.cause_id
                    WHERE v.pid = s.pid AND v.cause_kind IN ('run', 'revert') AND v.activity_type = 'ods:Tombstone'
                      AND r.source = s.source)
   AND NOT EXISTS (SELECT FROM events AS e
                    WHERE e.originator_id = s.pid AND e.topic = 'ods:Tombstone'
                      AND e.notification_id > (SELECT position FROM projections WHERE name = 'versions'))
 LIMIT 100

-- name: items_without_previous
SELECT i.run, i.ordinal, i.outcome
  FROM run_items AS i JOIN runs AS r ON r.id = i.run
 WHERE r.kind = 'sync' AND i.version_before IS NOT NULL AND i.version_after IS NOT NULL AND i.previous IS NULL
 LIMIT 100

-- name: previous_statements
SELECT i.run, i.ordinal, i.type, coalesce(i.key, ''), i.pid, i.previous
  FROM run_items AS i
 WHERE i.previous IS NOT NULL AND (i.run, i.ordinal) > (%b, %b)
 ORDER BY i.run, i.ordinal
 LIMIT %b

-- name: statements
SELECT source, type, key, pid, version, document, document_digest
  FROM source_records
 WHERE (source, type, key) > (%b, %b, %b)
 ORDER BY source, type, key
 LIMIT %b
