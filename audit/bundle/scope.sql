-- name: every_object
SELECT originator_id, max(originator_version)
  FROM events
 WHERE notification_id <= %b
 GROUP BY originator_id
 ORDER BY originator_id COLLATE "C"

-- name: objects
SELECT chosen.pid, e.originator_version
  FROM (SELECT unnest(%b::text[]) AS pid
        UNION SELECT pid FROM natural_keys WHERE source = %b::text
        UNION SELECT pid FROM versions WHERE cause_id = %b::text AND cause_kind IN ('run', 'revert')
        UNION SELECT pid FROM versions WHERE recorded >= %b::timestamptz) AS chosen
  CROSS JOIN LATERAL (
      SELECT originator_version
        FROM events
       WHERE originator_id = chosen.pid AND notification_id <= %b
       ORDER BY originator_version DESC
       LIMIT 1
  ) AS e
 ORDER BY chosen.pid COLLATE "C"

-- name: positions
SELECT e.notification_id
  FROM (SELECT unnest(%b::text[]) AS pid
        UNION SELECT pid FROM natural_keys WHERE source = %b::text
        UNION SELECT pid FROM versions WHERE cause_id = %b::text AND cause_kind IN ('run', 'revert')
        UNION SELECT pid FROM versions WHERE recorded >= %b::timestamptz) AS chosen
  CROSS JOIN LATERAL (
      SELECT notification_id
        FROM events
       WHERE originator_id = chosen.pid AND notification_id <= %b
  ) AS e
 ORDER BY e.notification_id
