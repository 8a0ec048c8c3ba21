-- name: lock
SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ' self check', 0))

-- name: unfinished
SELECT id, position, started_at, after_pid, objects, events, problems, finished_at, seal
  FROM self_checks WHERE finished_at IS NULL
 ORDER BY started_at DESC

-- name: finished
SELECT id, position, started_at, after_pid, objects, events, problems, finished_at, seal
  FROM self_checks WHERE finished_at IS NOT NULL
 ORDER BY started_at DESC

-- name: begin
INSERT INTO self_checks (id, position) VALUES (%b, %b)
RETURNING id, position, started_at, after_pid, objects, events, problems, finished_at

-- name: advance
UPDATE self_checks
   SET after_pid = %b, objects = %b, events = %b, problems = %b::jsonb,
       finished_at = CASE WHEN %b THEN clock_timestamp() END
 WHERE id = %b
RETURNING id, position, started_at, after_pid, objects, events, problems, finished_at

-- name: seal
UPDATE self_checks SET seal = %b WHERE id = %b
