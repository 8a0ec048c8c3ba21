-- name: open_parts
SELECT partition FROM parts WHERE NOT done ORDER BY partition

-- name: claim_part
SELECT pg_try_advisory_lock(hashtextextended(current_schema() || ' ' || %b, 0))

-- name: release_part
SELECT pg_advisory_unlock(hashtextextended(current_schema() || ' ' || %b, 0))

-- name: part
SELECT after_pid, done FROM parts WHERE partition = %b AND rebuild = %b

-- name: advance_part
-- A worker that outlived its rebuild finds nothing to advance, and its rows go with its transaction.
UPDATE parts
   SET after_pid = %b, events = events + %b, done = done OR %b
 WHERE partition = %b AND rebuild = %b AND after_pid = %b
RETURNING true

-- name: filled
SELECT coalesce(sum(events), 0)::bigint, coalesce(bool_and(done), true) FROM parts

-- name: copy_pieces
COPY pieces (projection, position, piece) FROM STDIN (FORMAT BINARY)

-- name: next_pieces
SELECT position, piece
  FROM pieces
 WHERE projection = %b AND position > %b AND position <= %b
 ORDER BY position

-- name: set_filled
UPDATE projections SET position = %b WHERE name = ANY(%b) AND position < %b

-- name: lock
SELECT pg_try_advisory_lock(hashtextextended(%b || ' rebuild', 0))

-- name: unlock
SELECT pg_advisory_unlock(hashtextextended(%b || ' rebuild', 0))

-- name: begin
INSERT INTO rebuilds (id, projections, state, horizon, total, workers) VALUES (%b, %b::text::jsonb, 'filling', %b, %b, %b)

-- name: unfinished
SELECT id, projections, horizon
  FROM rebuilds WHERE state NOT IN ('switched', 'switched back', 'cancelled')
 ORDER BY started_at DESC
 LIMIT 1

-- name: progress
UPDATE rebuilds
   SET state = %b, events = %b, total = %b, rate = %b, workers = %b, failure = NULL, updated_at = clock_timestamp()
 WHERE id = %b

-- name: first_fault
-- The first position that no event has, or that two have.
SELECT expected
  FROM (SELECT position, lag(position, 1, 0::bigint) OVER (ORDER BY position) + 1 AS expected
          FROM (SELECT notification_id AS position FROM events WHERE notification_id <= %b
                 UNION ALL
                SELECT %b::bigint + 1) AS there) AS found
 WHERE position <> expected
 ORDER BY position
 LIMIT 1

-- name: is_locked
-- Without taking the lock, which whoever begins at this moment would miss.
SELECT EXISTS (SELECT FROM pg_locks
                WHERE locktype = 'advisory' AND granted AND objsubid = 1
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                  AND (classid::bigint << 32) | objid::bigint = hashtextextended(%b || ' rebuild', 0))

-- name: last_switched
SELECT id, projections, state FROM rebuilds
 WHERE state IN ('switched', 'switched back') ORDER BY finished_at DESC LIMIT 1

-- name: fail
UPDATE rebuilds SET state = 'failed', failure = %b::text::jsonb, updated_at = clock_timestamp() WHERE id = %b

-- name: finish
UPDATE rebuilds
   SET state = %b, updated_at = clock_timestamp(), finished_at = clock_timestamp()
 WHERE id = %b

-- name: newest
SELECT id, projections, state, horizon, events, total, rate, workers, failure, started_at, updated_at, finished_at
  FROM rebuilds ORDER BY started_at DESC LIMIT 1
