-- name: size
SELECT 256 * index::numeric + coalesce(length(hashes), 0) / 32
  FROM ledger_tiles WHERE level = 0
 ORDER BY index DESC
 LIMIT 1

-- name: tile
SELECT coalesce(hashes, '') FROM ledger_tiles WHERE level = %b AND index = %b

-- name: put_tiles
INSERT INTO ledger_tiles (level, index, hashes)
SELECT * FROM unnest(%b::smallint[], %b::bigint[], %b::bytea[])
ON CONFLICT (level, index) DO UPDATE SET hashes = excluded.hashes

-- name: leaves
SELECT p.position, substring(t.hashes FROM ((p.position - 1) %% 256)::int * 32 + 1 FOR 32)
  FROM unnest(%b::bigint[]) AS p (position)
  LEFT JOIN ledger_tiles AS t ON t.level = 0 AND t.index = (p.position - 1) / 256

-- name: level
SELECT index, coalesce(hashes, '') FROM ledger_tiles WHERE level = %b ORDER BY index

-- name: levels_above
SELECT level, index FROM ledger_tiles WHERE level >= %b LIMIT 100

-- name: insert_checkpoint
INSERT INTO checkpoints (origin, size, root, note) VALUES (%b, %b, %b, %b) ON CONFLICT DO NOTHING

-- name: newest_checkpoint
SELECT note FROM checkpoints ORDER BY size DESC, signed_at DESC LIMIT 1

-- name: checkpoints
SELECT origin, size, coalesce(root, ''), coalesce(note, ''), signed_at FROM checkpoints ORDER BY signed_at, size
