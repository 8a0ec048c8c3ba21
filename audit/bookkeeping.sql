-- name: keys_that_disagree
SELECT r.type, r.key, r.pid, k.pid
  FROM source_records AS r
  LEFT JOIN natural_keys AS k ON k.source = r.source AND k.type = r.type AND k.key = r.key
 WHERE k.pid IS DISTINCT FROM r.pid
 LIMIT 100

-- name: objects_without_key
SELECT v.pid
  FROM versions AS v
  JOIN objects AS o ON o.pid = v.pid
 WHERE v.version = 1 AND (v.source IS NOT NULL OR o.type IN ('ods:SourceSystem', 'ods:DataMapping'))
   AND NOT EXISTS (SELECT FROM natural_keys AS k WHERE k.source = coalesce(v.source, '') AND k.pid = v.pid)
 LIMIT 100

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
 LIMIT 100

-- name: items_that_leap
SELECT run, ordinal, pid, version_before, version_after
  FROM run_items
 WHERE version_after IS NOT NULL AND coalesce(version_before, 0) + 1 <> version_after
 LIMIT 100

-- name: runs
SELECT id::text, source, archive, mapping FROM runs WHERE kind = 'sync' AND id::text = ANY(%b)

-- name: statements
SELECT source, type, key, pid, version, document, document_digest
  FROM source_records
 WHERE (source, type, key) > (%b, %b, %b)
 ORDER BY source, type, key
 LIMIT %b
