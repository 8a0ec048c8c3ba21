-- name: append
SELECT first_position, recorded FROM append_events(%b, %b, %b, %b, %b, %b, %b)

-- name: insert_snapshot
INSERT INTO snapshots (originator_id, originator_version, topic, state)
VALUES (%b, %b, %b, %b)
ON CONFLICT DO NOTHING

-- name: insert_new_snapshots
INSERT INTO snapshots (originator_id, originator_version, topic, state)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bytea[])

-- name: select_stream
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at
  FROM events
 WHERE originator_id = %b AND originator_version > %b AND originator_version <= %b
 ORDER BY originator_version

-- name: select_state
SELECT * FROM state_of(%b, %b)

-- name: select_state_recorded_at
SELECT * FROM state_of(%b, version_recorded_at(%b, %b))

-- name: select_state_occurred_at
SELECT * FROM state_of(%b, version_occurred_at(%b, %b))

-- name: select_range
-- octet_length does not read a large state, so that only those that are given are read.
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at
  FROM (
      SELECT events.*,
             sum(octet_length(state)) OVER (ORDER BY notification_id ROWS UNBOUNDED PRECEDING) AS octets,
             row_number() OVER (ORDER BY notification_id ROWS UNBOUNDED PRECEDING) AS ordinal
        FROM events
       WHERE notification_id > %b AND notification_id <= %b
       ORDER BY notification_id
       LIMIT %b
  ) AS next
 WHERE ordinal = 1 OR octets <= %b
 ORDER BY notification_id

-- name: partitions
SELECT relname::text
  FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
 WHERE inhparent = to_regclass('events')
 ORDER BY length(relname), relname

-- name: select_partition
SELECT originator_id, originator_version, topic, state, notification_id, recorded_at
  FROM (
      SELECT page.*,
             sum(octet_length(state)) OVER (ORDER BY originator_id, originator_version) AS octets,
             row_number() OVER (ORDER BY originator_id, originator_version) AS ordinal
        FROM (
            SELECT originator_id, originator_version, topic, state, notification_id, recorded_at
              FROM {partition}
             WHERE (originator_id, originator_version) > (%b, %b) AND notification_id <= %b
             ORDER BY originator_id, originator_version
             LIMIT %b
        ) AS page
  ) AS page
 WHERE ordinal = 1 OR octets <= %b
 ORDER BY originator_id, originator_version

-- name: select_streams
SELECT e.originator_id, e.originator_version, e.topic, e.state, e.notification_id, e.recorded_at
  FROM unnest(%b::text[], %b::bigint[], %b::bigint[]) AS wanted (pid, after, upto)
  CROSS JOIN LATERAL (
      SELECT *
        FROM events
       WHERE originator_id = wanted.pid
         AND originator_version > wanted.after
         AND originator_version <= wanted.upto
  ) AS e
 ORDER BY e.originator_id, e.originator_version

-- name: select_snapshots
SELECT s.originator_id, s.originator_version, s.topic, s.state
  FROM unnest(%b::text[], %b::bigint[]) AS wanted (pid, upto)
  CROSS JOIN LATERAL (
      SELECT *
        FROM snapshots
       WHERE originator_id = wanted.pid AND originator_version <= wanted.upto
       ORDER BY originator_version DESC
       LIMIT 1
  ) AS s

-- name: frames_of_states
SELECT wanted.pid, substring(frame.state FROM 1 FOR 18)
  FROM unnest(%b::text[], %b::bigint[]) AS wanted (pid, upto)
  LEFT JOIN LATERAL (
      SELECT originator_version, state
        FROM snapshots
       WHERE originator_id = wanted.pid AND originator_version <= wanted.upto
       ORDER BY originator_version DESC
       LIMIT 1
  ) AS frozen ON true
  CROSS JOIN LATERAL (
      SELECT frozen.state
       WHERE frozen.state IS NOT NULL
       UNION ALL
      SELECT state
        FROM events
       WHERE originator_id = wanted.pid
         AND originator_version > coalesce(frozen.originator_version, 0)
         AND originator_version <= wanted.upto
  ) AS frame

-- name: current_versions
SELECT wanted.pid, e.originator_version
  FROM unnest(%b::text[]) AS wanted (pid)
  CROSS JOIN LATERAL (
      SELECT originator_version
        FROM events
       WHERE originator_id = wanted.pid
       ORDER BY originator_version DESC
       LIMIT 1
  ) AS e

-- name: versions_recorded_at
SELECT wanted.pid, e.originator_version
  FROM unnest(%b::text[]) AS wanted (pid)
  CROSS JOIN LATERAL (
      SELECT originator_version
        FROM events
       WHERE originator_id = wanted.pid AND recorded_at <= %b
       ORDER BY originator_version DESC
       LIMIT 1
  ) AS e

-- name: versions_occurred_at
SELECT wanted.pid, e.originator_version
  FROM unnest(%b::text[]) AS wanted (pid)
  CROSS JOIN LATERAL (
      SELECT originator_version
        FROM events
       WHERE originator_id = wanted.pid AND occurred_at <= %b
         AND undoes IS DISTINCT FROM 1  -- it takes back that there was an object at all
         AND NOT EXISTS (SELECT FROM events AS reversal
                          WHERE reversal.originator_id = wanted.pid
                            AND reversal.undoes <= events.originator_version
                            AND reversal.originator_version > events.originator_version)
       ORDER BY occurred_at DESC, originator_version DESC
       LIMIT 1
  ) AS e

-- name: events_by_id
SELECT e.originator_id, e.originator_version, e.topic, e.state, e.notification_id, e.recorded_at
  FROM unnest(%b::text[], %b::uuid[]) AS wanted (pid, event_id)
  JOIN events AS e ON e.originator_id = wanted.pid AND e.event_id = wanted.event_id

-- name: position
SELECT position FROM log_head

-- name: taken_pids
SELECT originator_id FROM events WHERE originator_id = ANY(%b) AND originator_version = 1
UNION
SELECT pid FROM natural_keys WHERE pid = ANY(%b)

-- name: dictionary
SELECT content FROM dictionaries WHERE id = %b

-- name: newest_dictionary
SELECT id, content FROM dictionaries ORDER BY id DESC LIMIT 1

-- name: insert_dictionary
SELECT add_dictionary(%b, %b)

-- name: register_agent
INSERT INTO agents (id, kind, name, email) VALUES (%b, %b, %b, %b)
ON CONFLICT (id) DO UPDATE
   SET kind = excluded.kind, name = excluded.name, email = excluded.email, changed_at = clock_timestamp()

-- name: agent_names
SELECT id, name FROM agents WHERE id = ANY(%b) AND name IS NOT NULL
