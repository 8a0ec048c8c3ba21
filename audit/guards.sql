-- name: unguarded
SELECT t.relname
  FROM pg_class AS t
 WHERE t.relnamespace = current_schema()::regnamespace
   AND (t.relname IN ('events', 'dictionaries')
        OR t.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass))
   AND NOT EXISTS (SELECT FROM pg_trigger AS g
                    WHERE g.tgrelid = t.oid AND g.tgname = 'append_only' AND g.tgenabled IN ('O', 'A')
                      AND g.tgfoid = 'refuse_change'::regproc
                      AND g.tgtype & 58 = 58)  -- before (2), for delete (8), update (16) and truncate (32)
 ORDER BY 1

-- name: privileges
SELECT t.relname, string_agg(p.privilege, ', ' ORDER BY p.privilege)
  FROM pg_class AS t
 CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS p (privilege)
 WHERE t.relnamespace = current_schema()::regnamespace
   AND (t.relname IN ('events', 'dictionaries', 'log_head')
        OR t.oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass))
   AND has_table_privilege(current_user, t.oid, p.privilege)
 GROUP BY 1
 ORDER BY 1
