-- Reading one object. A function's plan is made once a connection; without one, PostgreSQL plans for sixteen
-- partitions at every call, which takes several times as long as the reading itself.

-- The last snapshot up to a version (its position and recording time are NULL), and the events after it.
CREATE FUNCTION state_of(pid text, upto bigint)
    RETURNS TABLE (originator_id text, originator_version bigint, topic text, state bytea,
                   notification_id bigint, recorded_at timestamptz)
    LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    frozen bigint;
BEGIN
    SELECT s.originator_version INTO frozen
      FROM snapshots AS s
     WHERE s.originator_id = pid AND s.originator_version <= upto
     ORDER BY s.originator_version DESC
     LIMIT 1;
    IF frozen IS NOT NULL THEN
        RETURN QUERY
        SELECT s.originator_id, s.originator_version, s.topic, s.state, NULL::bigint, NULL::timestamptz
          FROM snapshots AS s
         WHERE s.originator_id = pid AND s.originator_version = frozen;
    END IF;
    RETURN QUERY
    SELECT e.originator_id, e.originator_version, e.topic, e.state, e.notification_id, e.recorded_at
      FROM events AS e
     WHERE e.originator_id = pid AND e.originator_version <= upto AND e.originator_version > coalesce(frozen, 0)
     ORDER BY e.originator_version;
END $$;

-- The version of an object at a time of the store's clock; NULL when it did not exist.
CREATE FUNCTION version_recorded_at(pid text, moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (SELECT e.originator_version
              FROM events AS e
             WHERE e.originator_id = pid AND e.recorded_at <= moment
             ORDER BY e.originator_version DESC
             LIMIT 1);
END $$;

-- The version of an object at a time by its asserters' account, without what was undone; NULL when it did not exist.
CREATE FUNCTION version_occurred_at(pid text, moment timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    RETURN (SELECT e.originator_version
              FROM events AS e
             WHERE e.originator_id = pid AND e.occurred_at <= moment
               AND e.undoes IS DISTINCT FROM 1  -- it takes back that there was an object at all
               AND NOT EXISTS (SELECT FROM events AS reversal
                                WHERE reversal.originator_id = pid
                                  AND reversal.undoes <= e.originator_version
                                  AND reversal.originator_version > e.originator_version)
             ORDER BY e.occurred_at DESC, e.originator_version DESC
             LIMIT 1);
END $$;
