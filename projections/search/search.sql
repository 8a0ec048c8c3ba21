-- name: open_rows
SELECT pid, from_position, to_position, type, tombstoned, name, identifier, text, facets
  FROM search WHERE pid = ANY(%b) AND to_position IS NULL

-- name: close_rows
UPDATE search
   SET to_position = closed.to_position
  FROM unnest(%b::text[], %b::bigint[], %b::bigint[]) AS closed (pid, from_position, to_position)
 WHERE search.pid = closed.pid AND search.from_position = closed.from_position

-- name: stored_rows
SELECT pid, from_position, to_position, type, tombstoned, name, identifier, text, facets
  FROM search WHERE pid = ANY(%b) ORDER BY pid, from_position

-- name: by_index_only
SET LOCAL enable_seqscan = off;
SET LOCAL enable_indexscan = off;
SET LOCAL enable_indexonlyscan = off;
SET LOCAL work_mem = '64MB'

-- name: walk
WITH next AS MATERIALIZED (
    SELECT * FROM search WHERE {from_here} LIMIT %(window)s
), last AS (
    SELECT pid, from_position FROM next ORDER BY pid DESC, from_position DESC LIMIT 1
), found AS (
    SELECT pid, type, tombstoned, name, identifier, from_position FROM next WHERE {conditions} ORDER BY pid LIMIT %(limit)s
)
SELECT last.pid, last.from_position, (SELECT count(*) FROM next), found.*
  FROM last LEFT JOIN found ON true
 ORDER BY found.pid

-- name: current_from_here
to_position IS NULL AND pid > %(pid)s ORDER BY pid

-- name: any_from_here
(pid, from_position) > (%(pid)s, %(from_position)s) ORDER BY pid, from_position

-- name: fetch
WITH found AS MATERIALIZED (
    SELECT pid, type, tombstoned, name, identifier, from_position
      FROM search
     WHERE {conditions} AND (pid, from_position) > (%(pid)s, %(from_position)s)
     LIMIT %(most)s
)
SELECT * FROM found ORDER BY pid

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

-- name: with_words
words @@ websearch_to_tsquery('simple', %(words)s)

-- name: with_facets
facets @> %(facets)s::text[]

-- name: with_one_of
facets && {values}::text[]

-- name: position
SELECT position FROM projections WHERE name = 'search'

-- name: last_recorded_by
SELECT coalesce(max(notification_id), 0) FROM events WHERE recorded_at <= %b
