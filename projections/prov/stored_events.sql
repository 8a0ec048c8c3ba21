-- name: events_of
-- OFFSET 0 keeps the lookups apart: joined as a whole, the log might be sorted for each batch.
SELECT e.originator_id, e.originator_version, e.topic, e.state, e.notification_id, e.recorded_at
  FROM unnest(%b::text[], %b::bigint[], %b::bigint[]) AS wanted (pid, first, last)
  CROSS JOIN LATERAL (
      SELECT *
        FROM events
       WHERE originator_id = wanted.pid AND originator_version BETWEEN wanted.first AND wanted.last
      OFFSET 0
  ) AS e
 ORDER BY e.originator_id, e.originator_version

-- name: turns
SELECT e.originator_id, e.originator_version, e.topic
  FROM unnest(%b::text[]) AS wanted (pid)
  CROSS JOIN LATERAL (
      SELECT *
        FROM events
       WHERE originator_id = wanted.pid
         AND topic IN ('ods:Tombstone', 'ods:Restore') AND notification_id <= %b
      OFFSET 0
  ) AS e
 ORDER BY e.originator_id, e.originator_version
