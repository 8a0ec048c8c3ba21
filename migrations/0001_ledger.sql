-- The ledger: an append-only log of events in one total order without gaps.
-- Everything here lies in the schema named by the search_path; nothing assumes its name.

CREATE TABLE events (
    originator_id      text        NOT NULL,  -- PID of the digital object
    originator_version bigint      NOT NULL CHECK (originator_version >= 1),
    topic              text        NOT NULL,  -- activity type, such as ods:Update
    state              bytea       NOT NULL,  -- the event as compressed JSON
    notification_id    bigint      NOT NULL,  -- position in the ledger: 1, 2, 3 ... in commit order
    recorded_at        timestamptz NOT NULL,  -- the store's clock, never decreasing with the position
    occurred_at        timestamptz NOT NULL CHECK (isfinite(occurred_at)),  -- when the asserter says it happened; also inside state
    event_id           uuid        NOT NULL,  -- activity id; makes appends idempotent
    metadata           jsonb,                 -- reserved by version 10 of the eventsourcing library
    PRIMARY KEY (originator_id, originator_version)
) PARTITION BY HASH (originator_id);

ALTER TABLE events ALTER COLUMN state SET STORAGE EXTERNAL;  -- it is compressed already

DO $$
BEGIN
    FOR part IN 0..15 LOOP
        EXECUTE format('CREATE TABLE events_p%s PARTITION OF events FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                       lpad(part::text, 2, '0'), part);
    END LOOP;
END $$;

CREATE INDEX events_position ON events (notification_id);
CREATE UNIQUE INDEX events_event_id ON events (originator_id, event_id);

-- The head of the log. Its row lock is what puts writers in line: a writer holds it from drawing its
-- positions until it commits or rolls back, so commit order is position order and no number is lost.
CREATE TABLE log_head (
    only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    position    bigint      NOT NULL,
    recorded_at timestamptz NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_head (position, recorded_at) VALUES (0, '-infinity');

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege', HINT = 'Record a new event instead.';
END $$;

-- Statement triggers are not inherited by partitions, so each gets its own.
DO $$
DECLARE
    target regclass;
BEGIN
    FOR target IN SELECT 'events'::regclass UNION ALL
                  SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'events'::regclass LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', target);
    END LOOP;
END $$;

-- Append events at the end of the log. Arrays are parallel, one entry an event, in order.
-- Raises unique_violation when a version or an activity id is there already, and
-- check_violation when a version would leave a gap.
-- Runs with the owner's rights: the search_path must end with pg_temp, or a caller's temporary table
-- called events would stand in for the log.
CREATE FUNCTION append_events(ids text[], versions bigint[], topics text[], states bytea[],
                              event_ids uuid[], occurred timestamptz[])
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
                        notification_id, recorded_at, occurred_at)
    SELECT e.id, e.version, e.topic, e.state, e.event_id,
           first_position + e.ordinal - 1, recorded, coalesce(e.occurred, recorded)
      FROM unnest(ids, versions, topics, states, event_ids, occurred)
           WITH ORDINALITY AS e (id, version, topic, state, event_id, occurred, ordinal);

    SELECT format('%s version %s', e.id, e.version) INTO gap
      FROM unnest(ids, versions) AS e (id, version)
     WHERE e.version > 1
       AND NOT EXISTS (SELECT FROM events AS before
                        WHERE before.originator_id = e.id AND before.originator_version = e.version - 1)
     LIMIT 1;
    IF gap IS NOT NULL THEN
        RAISE EXCEPTION '% would leave a gap', gap USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEXT;
END $$;

-- Folded states at some versions: derived, may be dropped and made again.
CREATE TABLE snapshots (
    originator_id      text   NOT NULL,
    originator_version bigint NOT NULL,
    topic              text   NOT NULL,
    state              bytea  NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);
ALTER TABLE snapshots ALTER COLUMN state SET STORAGE EXTERNAL;

-- Zstandard dictionaries. Every compressed value names the one it needs, so none is ever removed.
CREATE TABLE dictionaries (
    id         bigint      PRIMARY KEY,
    content    bytea       NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON dictionaries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Dictionaries are added only here, so that nothing else than a numbered one can become the newest:
-- a frame names the number that stands inside the dictionary.
CREATE FUNCTION add_dictionary(new_id bigint, new_content bytea) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF length(new_content) < 8 OR substring(new_content FROM 1 FOR 4) <> '\x37a430ec'
       OR get_byte(new_content, 4) + get_byte(new_content, 5) * 256 + get_byte(new_content, 6) * 65536
          + get_byte(new_content, 7)::bigint * 16777216 <> new_id THEN
        RAISE EXCEPTION 'not a Zstandard dictionary with the number %', new_id USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO dictionaries (id, content)
    SELECT new_id, new_content
     WHERE new_id = (SELECT coalesce(max(id), 0) + 1 FROM dictionaries)
    ON CONFLICT DO NOTHING;
END $$;

-- Names of agents, outside the events, so that a person can be forgotten without breaking a proof.
CREATE TABLE agents (
    id         text PRIMARY KEY,  -- the IRI that events use
    kind       text NOT NULL,
    name       text,
    email      text,
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which object a source's record is. One PID for one (source system, type, key), in the same
-- transaction as the object's first event.
CREATE TABLE natural_keys (
    source text NOT NULL,  -- PID of the source system; '' for objects this store keeps for itself
    type   text NOT NULL,
    key    text NOT NULL,
    pid    text NOT NULL,
    PRIMARY KEY (source, type, key)
);
CREATE UNIQUE INDEX natural_keys_pid ON natural_keys (pid);
