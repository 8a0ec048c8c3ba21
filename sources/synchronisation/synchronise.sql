-- name: lock_source
SELECT pg_try_advisory_lock(hashtextextended(current_schema() || ' source ' || %b, 0))

-- name: unlock_source
SELECT pg_advisory_unlock(hashtextextended(current_schema() || ' source ' || %b, 0))

-- name: find_key
SELECT pid FROM natural_keys WHERE source = %b AND type = %b AND key = %b

-- name: find_record
SELECT pid, type, key FROM source_records
 WHERE source = %b AND (key = %b OR record_id = %b)
 ORDER BY (key = %b) DESC, type = 'ods:DigitalSpecimen' DESC, present DESC
 LIMIT 1

-- name: sources
SELECT key, pid FROM natural_keys WHERE source = '' AND type = 'ods:SourceSystem' ORDER BY key

-- name: unfinished_run
SELECT id, occurred FROM runs
 WHERE source = %b AND kind = %b AND archive = %b AND mapping = %b AND options = %b::jsonb
   AND finished_at IS NULL AND reverted_by IS NULL
   AND NOT EXISTS (SELECT FROM runs AS later WHERE later.source = runs.source AND later.started_at > runs.started_at)

-- name: run_of_later_statement
SELECT id, occurred FROM runs
 WHERE source = %b AND kind = 'sync' AND reverted_by IS NULL AND occurred > %b
   AND EXISTS (SELECT FROM run_items WHERE run = runs.id AND version_after IS NOT NULL)
 ORDER BY occurred DESC
 LIMIT 1

-- name: unfinished_revert
SELECT id FROM runs WHERE reverts = %b AND finished_at IS NULL ORDER BY started_at DESC LIMIT 1

-- name: insert_run
INSERT INTO runs (id, source, kind, archive, mapping, options, occurred, started_at, reverts)
VALUES (%b, %b, %b, %b, %b, %b::jsonb, %b, %b, %b)

-- name: finish_run
UPDATE runs SET finished_at = clock_timestamp(), counts = %b::jsonb WHERE id = %b

-- name: mark_reverted
UPDATE runs SET reverted_by = %b WHERE id = %b

-- name: select_run
SELECT id, source, kind, archive, mapping, options, occurred, started_at, finished_at, reverts, reverted_by, counts
  FROM runs WHERE id = %b

-- name: select_runs
SELECT id, source, kind, archive, mapping, options, occurred, started_at, finished_at, reverts, reverted_by, counts
  FROM runs ORDER BY started_at

-- name: later_run
SELECT id FROM runs
 WHERE source = %b AND kind = 'sync' AND reverted_by IS NULL AND started_at > %b
   AND EXISTS (SELECT FROM run_items WHERE run = runs.id AND version_after IS NOT NULL)
 ORDER BY started_at DESC
 LIMIT 1

-- name: insert_items
INSERT INTO run_items
       (run, type, key, place, outcome, pid, version_before, version_after, reason, details, previous)
SELECT %b::uuid, i.type, i.key, i.place, i.outcome, i.pid, i.version_before, i.version_after, i.reason,
       i.details::jsonb, i.previous::jsonb
  FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::text[],
              %b::text[], %b::text[])
       WITH ORDINALITY
       AS i (type, key, place, outcome, pid, version_before, version_after, reason, details, previous, ordinal)
 ORDER BY i.ordinal
ON CONFLICT DO NOTHING

-- name: select_items
SELECT ordinal, type, key, place, outcome, pid, version_before, version_after, reason, details
  FROM run_items WHERE run = %b AND ordinal > %b ORDER BY ordinal LIMIT %b

-- name: count_items
SELECT type, outcome, count(*) FILTER (WHERE NOT again), sum(coalesce(jsonb_array_length(details -> 'conflicts'), 0))
  FROM (SELECT type, outcome, details,
               outcome = ANY(%b)
               AND row_number() OVER (PARTITION BY pid, outcome = ANY(%b) ORDER BY ordinal) > 1 AS again
          FROM run_items WHERE run = %b) AS items
 GROUP BY 1, 2

-- name: items_to_revert
SELECT pid, type, key, min(version_before), max(version_after), bool_or(version_before IS NULL),
       (array_agg(previous ORDER BY ordinal))[1]
  FROM run_items
 WHERE run = %b AND pid IS NOT NULL AND version_after IS NOT NULL
   AND NOT EXISTS (SELECT FROM run_items AS done WHERE done.run = %b AND done.pid = run_items.pid)
 GROUP BY pid, type, key
 ORDER BY pid

-- name: records_to_revert
SELECT previous
  FROM (SELECT DISTINCT ON (type, key) previous, version_after
          FROM run_items
         WHERE run = %b AND key IS NOT NULL AND (previous IS NOT NULL OR version_after IS NOT NULL)
         ORDER BY type, key, ordinal) AS first
 WHERE version_after IS NULL

-- name: insert_keys
INSERT INTO natural_keys (source, type, key, pid)
SELECT %b, k.type, k.key, k.pid FROM unnest(%b::text[], %b::text[], %b::text[]) AS k (type, key, pid)

-- name: records_by_id
SELECT type, key, record_id, pid, record_digest, document_digest, version, document, media, present, run
  FROM source_records WHERE source = %b AND record_id = ANY(%b) AND type <> 'ods:DigitalMedia'

-- name: records_by_key
SELECT r.type, r.key, r.record_id, r.pid, r.record_digest, r.document_digest, r.version, r.document, r.media,
       r.present, r.run
  FROM unnest(%b::text[], %b::text[]) AS k (type, key)
  JOIN source_records AS r ON r.source = %b AND r.type = k.type AND r.key = k.key

-- name: records_listing_media
SELECT key, pid, media FROM source_records
 WHERE source = %b AND type = 'ods:DigitalSpecimen' AND present AND media && %b::text[]

-- name: upsert_records
INSERT INTO source_records
       (source, type, key, record_id, pid, record_digest, document_digest, version, document, media, present, run)
SELECT %b, r.type, r.key, r.record_id, r.pid, r.record_digest, r.document_digest, r.version, r.document,
       ARRAY(SELECT jsonb_array_elements_text(r.media::jsonb)), r.present, r.run
  FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[], %b::bytea[], %b::bigint[], %b::bytea[],
              %b::text[], %b::boolean[], %b::uuid[])
       AS r (type, key, record_id, pid, record_digest, document_digest, version, document, media, present, run)
ON CONFLICT (source, type, key) DO UPDATE
   SET record_id = excluded.record_id, record_digest = excluded.record_digest,
       document_digest = excluded.document_digest, version = excluded.version, document = excluded.document,
       media = excluded.media, present = excluded.present, run = excluded.run

-- name: create_seen
CREATE TEMPORARY TABLE seen (type text, key text, PRIMARY KEY (type, key))

-- name: unseen
SELECT k.key FROM unnest(%b::text[]) AS k (key)
 WHERE NOT EXISTS (SELECT FROM seen WHERE seen.type = %b AND seen.key = k.key)

-- name: mark_seen
INSERT INTO seen (type, key)
SELECT DISTINCT s.type, s.key FROM unnest(%b::text[], %b::text[]) AS s (type, key)
ON CONFLICT DO NOTHING
RETURNING type, key

-- name: missing_records
SELECT r.type, r.key, r.record_id, r.pid, r.record_digest, r.document_digest, r.version, r.document, r.media,
       r.present, r.run
  FROM source_records AS r
 WHERE r.source = %b AND r.present AND (r.type, r.key) > (%b, %b)
   AND NOT EXISTS (SELECT FROM seen WHERE seen.type = r.type AND seen.key = r.key)
 ORDER BY r.type, r.key
 LIMIT %b

-- name: collection
SELECT key, pid FROM natural_keys
 WHERE source = %b AND type = %b AND key > %b
 ORDER BY key
 LIMIT %b
