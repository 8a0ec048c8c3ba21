-- name: entry
SELECT originator_id, originator_version FROM events WHERE notification_id = %b ORDER BY originator_id, originator_version
