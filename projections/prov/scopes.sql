-- name: end_of_log
SELECT position, activity FROM versions ORDER BY position DESC LIMIT 1

-- name: last_recorded_by
SELECT position, activity FROM versions WHERE recorded <= %b ORDER BY recorded DESC, position DESC LIMIT 1

-- name: last_recorded_before
SELECT position FROM versions WHERE recorded < %b ORDER BY recorded DESC, position DESC LIMIT 1

-- name: no_fast_start
SET LOCAL cursor_tuple_fraction = 1

-- name: versions_in_scope
SELECT v.pid, o.type, array_agg(v.version ORDER BY v.version)
  FROM versions AS v
  JOIN objects AS o ON o.pid = v.pid
  LEFT JOIN natural_keys AS k ON k.pid = v.pid
 WHERE v.position > %(after)b AND v.position <= %(upto)b
   AND (%(source)b::text IS NULL OR k.source = %(source)b)
   AND (%(type)b::text IS NULL OR o.type = %(type)b)
   AND (%(key)b::text IS NULL OR starts_with(k.key, %(key)b))
   AND (%(run)b::text IS NULL OR (v.cause_id = %(run)b AND v.cause_kind IN ('run', 'revert')))
   AND (%(agent)b::jsonb IS NULL OR v.agents @> %(agent)b::jsonb OR v.agents @> %(on_behalf_of)b::jsonb)
   AND (%(since)b::timestamptz IS NULL OR v.occurred >= %(since)b)
   AND (%(until)b::timestamptz IS NULL OR v.occurred <= %(until)b)
 GROUP BY v.pid, o.type
 ORDER BY v.pid

-- name: last_versions
SELECT pid, max(version)
  FROM versions
 WHERE pid = ANY(%b::text[]) AND position <= %b AND (%b::timestamptz IS NULL OR occurred <= %b)
 GROUP BY pid

-- name: causes_of
SELECT DISTINCT v.cause_id
  FROM unnest(%b::text[], %b::bigint[]) AS wanted (pid, version)
  JOIN versions AS v ON v.pid = wanted.pid AND v.version = wanted.version
 WHERE v.cause_kind IN ('run', 'revert')

-- name: runs_in_scope
SELECT r.id
  FROM runs AS r
 WHERE r.started_at <= %(as_of)b
   AND EXISTS (
       SELECT
         FROM versions AS v
         JOIN objects AS o ON o.pid = v.pid
         LEFT JOIN natural_keys AS k ON k.pid = v.pid
        WHERE v.cause_id = r.id::text AND v.cause_kind IN ('run', 'revert')
          AND v.position > %(after)b AND v.position <= %(upto)b
          AND (%(source)b::text IS NULL OR k.source = %(source)b)
          AND (%(type)b::text IS NULL OR o.type = %(type)b)
          AND (%(key)b::text IS NULL OR starts_with(k.key, %(key)b))
          AND (%(run)b::text IS NULL OR v.cause_id = %(run)b)
          AND (%(agent)b::jsonb IS NULL OR v.agents @> %(agent)b::jsonb OR v.agents @> %(on_behalf_of)b::jsonb)
          AND (%(since)b::timestamptz IS NULL OR v.occurred >= %(since)b)
          AND (%(until)b::timestamptz IS NULL OR v.occurred <= %(until)b)
       )
 ORDER BY r.started_at, r.id

-- name: known_run
SELECT id, kind, started_at, CASE WHEN finished_at <= %b THEN finished_at END, reverts
  FROM runs WHERE id = %b
