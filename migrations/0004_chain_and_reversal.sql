-- Events name the event before by its hash, and a reversal says which versions it takes back. Stricter about streams:
-- each has a name, and its versions follow each other in the log.

-- Snapshots know the hash of the event they stand for. Those from before do not, and are made again when they are due.
DELETE FROM snapshots;

-- The first of the versions that this event takes back; also inside state. As of an occurred time, they never held.
ALTER TABLE events ADD COLUMN undoes bigint CHECK (undoes BETWEEN 1 AND originator_version - 1);
CREATE INDEX events_undoing ON events (originator_id) WHERE undoes IS NOT NULL;

ALTER TABLE events ADD CHECK (originator_id <> '');

-- SHA-256 of state as it was recorded: some bits of a Zstandard frame can change without changing what it holds.
ALTER TABLE events ADD COLUMN state_digest bytea;

-- Projections are made anew when their version changes, so their tables may be emptied here.
TRUNCATE versions;
ALTER TABLE versions ADD COLUMN undoes bigint;
UPDATE projections SET position = 0, version = 0 WHERE name = 'versions';

DROP FUNCTION append_events(text[], bigint[], text[], bytea[], uuid[], timestamptz[]);
CREATE FUNCTION append_events(ids text[], versions bigint[], topics text[], states bytea[],
                              event_ids uuid[], occurred timestamptz[], undoing bigint[])
    RETURNS TABLE (first_position bigint, recorded timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    amount bigint := cardinality(ids);
    gap text;
BEGIN
    UPDATE log_head
       SET position = position + amount,
           recorded_at = greatest(clock_timestamp(), log_head.recorded_at + interval '1 microsecond')
     RETURNING position - amount + 1, log_head.recorded_at INTO first_position, recorded;

    INSERT INTO events (originator_id, originator_version, topic, state, event_id,
                        notification_id, recorded_at, occurred_at, undoes, state_digest)
    SELECT e.id, e.version, e.topic, e.state, e.event_id,
           first_position + e.ordinal - 1, recorded,
           coalesce(e.occurred, recorded), e.undoes, sha256(e.state)
      FROM unnest(ids, versions, topics, states, event_ids, occurred, undoing)
           WITH ORDINALITY AS e (id, version, topic, state, event_id, occurred, undoes, ordinal);

    SELECT format('%s version %s', e.id, e.version) INTO gap
      FROM unnest(ids, versions) WITH ORDINALITY AS e (id, version, ordinal)
     WHERE e.version > 1
       AND NOT EXISTS (SELECT FROM events AS before
                        WHERE before.originator_id = e.id AND before.originator_version = e.version - 1
                          AND before.notification_id < first_position + e.ordinal - 1)
     LIMIT 1;
    IF gap IS NOT NULL THEN
        RAISE EXCEPTION '% would leave a gap', gap USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEXT;
END $$;
