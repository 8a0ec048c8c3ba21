-- name: streams
SELECT originator_id FROM events
 WHERE originator_version = 1 AND (%b::text IS NULL OR originator_id > %b::text)
 ORDER BY originator_id
 LIMIT %b

-- name: frame_starts
SELECT originator_id, array_agg(coalesce(substring(state FROM 1 FOR 18), ''))
  FROM events WHERE originator_id = ANY(%b)
 GROUP BY originator_id

-- name: headless_streams
SELECT originator_id, min(originator_version) FROM events
 GROUP BY originator_id HAVING min(originator_version) <> 1
 LIMIT 100

-- name: disorder
SELECT * FROM (
    SELECT notification_id, originator_id, originator_version, recorded_at,
           lag(notification_id, 1, 0::bigint) OVER ahead AS position_before,
           lag(recorded_at) OVER ahead AS recorded_before
      FROM events
    WINDOW ahead AS (ORDER BY notification_id)
) AS log
 WHERE notification_id IS DISTINCT FROM position_before + 1 OR recorded_at IS NULL OR recorded_at < recorded_before
 ORDER BY notification_id
 LIMIT 100

-- name: head
SELECT coalesce((SELECT max(position) FROM log_head), 0), (SELECT coalesce(max(notification_id), 0) FROM events)

-- name: heads
SELECT count(*) FROM log_head

-- name: head_time
SELECT h.recorded_at::text, e.recorded_at::text
  FROM log_head AS h JOIN events AS e ON e.notification_id = h.position
 WHERE h.recorded_at IS DISTINCT FROM e.recorded_at

-- name: amount
SELECT count(*) FROM events

-- name: dictionaries
SELECT id, coalesce(content, '') FROM dictionaries ORDER BY id

-- name: columns
SELECT originator_id, originator_version, event_id, occurred_at, undoes, metadata IS NOT NULL,
       coalesce(state_digest = sha256(state), false), state_digest IS NULL
  FROM events WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version

-- name: snapshots
SELECT originator_id, originator_version, topic, coalesce(state, '')
  FROM snapshots WHERE originator_id = ANY(%b) ORDER BY originator_id, originator_version

-- name: projections
SELECT name, position FROM projections

-- name: strangers
SELECT 'objects', pid FROM objects AS o
 WHERE NOT EXISTS (SELECT FROM events WHERE originator_id = o.pid AND originator_version = 1)
UNION ALL
SELECT 'versions', pid || '/' || version FROM versions AS v
 WHERE NOT EXISTS (SELECT FROM events WHERE originator_id = v.pid AND originator_version = v.version)
UNION ALL
SELECT 'terms', pid || '/' || version FROM terms AS t
 WHERE NOT EXISTS (SELECT FROM events WHERE originator_id = t.pid AND originator_version = t.version)
UNION ALL
SELECT 'snapshots', originator_id || '/' || originator_version FROM snapshots AS s
 WHERE NOT EXISTS (SELECT FROM events WHERE originator_id = s.originator_id AND originator_version = 1)
UNION ALL
SELECT 'search', pid FROM search AS s
 WHERE NOT EXISTS (SELECT FROM events WHERE originator_id = s.pid AND originator_version = 1)
UNION ALL
SELECT 'natural_keys', pid FROM natural_keys AS k
 WHERE NOT EXISTS (SELECT FROM events WHERE originator_id = k.pid AND originator_version = 1)
 LIMIT 100
