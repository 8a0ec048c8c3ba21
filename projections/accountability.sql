-- name: last_set
SELECT v.pid, coalesce(k.key, ''), v.version, v.activity, v.activity_type, v.recorded, v.occurred, v.agents,
       t.term, t.pointer, t.old, t.new
  FROM versions AS v
  LEFT JOIN terms AS t ON t.pid = v.pid AND t.version = v.version AND t.standing = %(pointer)s
  LEFT JOIN natural_keys AS k ON k.pid = v.pid
 WHERE v.pid = %(pid)s
   AND v.version = coalesce((SELECT s.version FROM terms AS s WHERE s.pid = %(pid)s AND s.standing = %(pointer)s), 1)

-- name: beginning
SELECT v.pid, coalesce(k.key, ''), v.version, v.activity, v.activity_type, v.recorded, v.occurred, v.agents,
       NULL, NULL, NULL, NULL
  FROM versions AS v
  LEFT JOIN natural_keys AS k ON k.pid = v.pid
 WHERE v.pid = %(pid)s AND v.version = 1

-- name: values_of_term
SELECT v.pid, coalesce(k.key, ''), v.version, v.activity, v.activity_type, v.recorded, v.occurred, v.agents,
       t.term, t.pointer, t.old, t.new
  FROM terms AS t
  JOIN versions AS v ON v.pid = t.pid AND v.version = t.version
  LEFT JOIN natural_keys AS k ON k.pid = v.pid
 WHERE t.pid = %(pid)s AND t.term = %(term)s
 ORDER BY t.version, t.ordinal

-- name: by_agent
SELECT v.pid, coalesce(k.key, ''), v.version, v.activity, v.activity_type, v.recorded, v.occurred, v.agents,
       t.term, t.pointer, t.old, t.new
  FROM versions AS v
  LEFT JOIN terms AS t ON t.pid = v.pid AND t.version = v.version
  LEFT JOIN natural_keys AS k ON k.pid = v.pid
 WHERE v.agents @> %(agent)s::jsonb
   -- what a run said and a reversal took back never occurred, and neither did taking it back
   AND (%(axis)s = 'recorded'
        OR (v.undoes IS NULL
            AND (v.cause_kind IS DISTINCT FROM 'run'
                 OR NOT EXISTS (SELECT FROM versions AS reversal
                                 WHERE reversal.pid = v.pid AND reversal.undoes <= v.version
                                   AND reversal.version > v.version))))
   AND CASE %(axis)s WHEN 'occurred' THEN v.occurred ELSE v.recorded END BETWEEN %(since)s AND %(until)s
 ORDER BY v.position, t.ordinal

-- name: of_source
SELECT v.pid, coalesce(k.key, ''), v.version, v.activity, v.activity_type, v.recorded, v.occurred, v.agents,
       t.term, t.pointer, t.old, t.new
  FROM natural_keys AS k
  JOIN versions AS v ON v.pid = k.pid
  LEFT JOIN terms AS t ON t.pid = v.pid AND t.version = v.version
 WHERE k.source = %(source)s
   -- what a run said and a reversal took back never occurred, and neither did taking it back
   AND (%(axis)s = 'recorded'
        OR (v.undoes IS NULL
            AND (v.cause_kind IS DISTINCT FROM 'run'
                 OR NOT EXISTS (SELECT FROM versions AS reversal
                                 WHERE reversal.pid = v.pid AND reversal.undoes <= v.version
                                   AND reversal.version > v.version))))
   AND CASE %(axis)s WHEN 'occurred' THEN v.occurred ELSE v.recorded END BETWEEN %(since)s AND %(until)s
   AND (%(term)s::text IS NULL OR t.term = %(term)s)
 ORDER BY v.position, t.ordinal
