-- name: open_rows
SELECT pid, from_position, to_position, type, tombstoned, name, identifier, text, facets
  FROM search WHERE pid = ANY(%b) AND to_position IS NULL

-- name: close_rows
UPDATE search
   SET to_position = closed.to_position
  FROM unnest(%b::text[], %b::bigint[], %b::bigint[]) AS closed (pid, from_position, to_position)
 WHERE search.pid = closed.pid AND search.from_position = closed.from_position

-- name: copy_in
COPY search (pid, from_position, to_position, type, tombstoned, name, identifier, text, facets)
FROM STDIN (FORMAT BINARY)

-- name: stored_rows
SELECT pid, from_position, to_position, type, tombstoned, name, identifier, text, facets
  FROM search WHERE pid = ANY(%b) ORDER BY pid, from_position

-- name: page
SELECT pid, type, tombstoned, name, identifier, from_position
  FROM search
 WHERE {conditions}
 ORDER BY pid
 LIMIT %(limit)s

-- name: total
SELECT count(*) FROM search WHERE {conditions}

-- name: counts
SELECT split_part(facet, '=', 1), substr(facet, strpos(facet, '=') + 1), count(*)
  FROM search CROSS JOIN unnest(facets) AS of (facet)
 WHERE {conditions} AND split_part(facet, '=', 1) = ANY(%(counted)s)
 GROUP BY facet
 ORDER BY 1, 3 DESC, 2

-- name: is_current
to_position IS NULL

-- name: as_of
from_position <= %(position)s AND (to_position IS NULL OR to_position > %(position)s)

-- name: stands
NOT tombstoned

-- name: of_type
type = %(type)s

-- name: after
pid > %(after)s

-- name: with_words
to_tsvector('simple', text) @@ websearch_to_tsquery('simple', %(words)s)

-- name: with_facets
facets @> %(facets)s::text[]

-- name: with_one_of
facets && {values}::text[]

-- name: position
SELECT position FROM projections WHERE name = 'search'

-- name: last_recorded_by
SELECT coalesce(max(notification_id), 0) FROM events WHERE recorded_at <= %b
