-- The tables of the projections, as the migrations made them or a later version of a projection wants them.
-- A rebuild makes them in a schema of its own, fills them, and then gives them their keys and indexes.

-- name: create_objects
CREATE TABLE objects (
    pid        text        NOT NULL,
    type       text        NOT NULL,
    version    bigint      NOT NULL,
    tombstoned boolean     NOT NULL,
    digest     bytea       NOT NULL,
    document   bytea       NOT NULL,
    created_at timestamptz NOT NULL,
    recorded   timestamptz NOT NULL,
    occurred   timestamptz NOT NULL
);
ALTER TABLE objects ALTER COLUMN document SET STORAGE EXTERNAL

-- name: index_objects
ALTER TABLE objects ADD PRIMARY KEY (pid);
CREATE INDEX objects_type ON objects (type, pid)

-- name: create_versions
CREATE TABLE versions (
    pid           text        NOT NULL,
    version       bigint      NOT NULL,
    position      bigint      NOT NULL,
    activity      uuid        NOT NULL,
    activity_type text        NOT NULL,
    recorded      timestamptz NOT NULL,
    occurred      timestamptz NOT NULL,
    agents        jsonb       NOT NULL,
    comment       text,
    cause_kind    text,
    cause_id      text,
    source        text,
    digest        bytea       NOT NULL,
    terms         text[]      NOT NULL,
    undoes        bigint
)

-- name: index_versions
ALTER TABLE versions ADD PRIMARY KEY (pid, version);
CREATE INDEX versions_position ON versions (position);
CREATE INDEX versions_recorded ON versions (recorded);
CREATE INDEX versions_occurred ON versions (occurred);
CREATE INDEX versions_cause ON versions (cause_id) WHERE cause_id IS NOT NULL;
CREATE INDEX versions_agents ON versions USING gin (agents jsonb_path_ops)

-- name: create_terms
CREATE TABLE terms (
    pid      text   NOT NULL,
    version  bigint NOT NULL,
    ordinal  int    NOT NULL,
    term     text   NOT NULL,
    pointer  text   NOT NULL,
    standing text,
    old      bytea,
    new      bytea
)

-- name: index_terms
ALTER TABLE terms ADD PRIMARY KEY (pid, version, ordinal);
CREATE INDEX terms_standing ON terms (pid) WHERE standing IS NOT NULL;
CREATE INDEX terms_term ON terms USING hash (term);
CREATE INDEX terms_of_object ON terms (pid, term)

-- name: create_search
CREATE TABLE search (
    pid           text    NOT NULL,
    from_position bigint  NOT NULL,
    to_position   bigint,
    type          text    NOT NULL,
    tombstoned    boolean NOT NULL,
    name          text,
    identifier    text,
    text          text    NOT NULL,
    facets        text[]  NOT NULL,
    words         tsvector NOT NULL GENERATED ALWAYS AS (to_tsvector('simple', text)) STORED
)

-- name: index_search
ALTER TABLE search ADD PRIMARY KEY (pid, from_position);
CREATE UNIQUE INDEX search_open ON search (pid) WHERE to_position IS NULL;
CREATE INDEX search_words ON search USING gin (words, facets)

-- name: create_ledger_tiles
CREATE TABLE ledger_tiles (
    level  smallint NOT NULL,
    index  bigint   NOT NULL,
    hashes bytea    NOT NULL,
    PRIMARY KEY (level, index)
);
ALTER TABLE ledger_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL

-- name: index_ledger_tiles
SELECT

-- name: index_memory
-- An index of words soon fills the 64 MB that are usual.
SET LOCAL maintenance_work_mem = '256MB'

-- name: create_projections
CREATE TABLE IF NOT EXISTS {projections} (name text PRIMARY KEY, version int NOT NULL, position bigint NOT NULL)

-- name: create_parts
CREATE TABLE parts (
    partition text    PRIMARY KEY,          -- of the log
    rebuild   uuid    NOT NULL,
    after_pid text    NOT NULL DEFAULT '',  -- objects up to here are done
    events    bigint  NOT NULL DEFAULT 0,
    done      boolean NOT NULL DEFAULT false
)

-- name: create_pieces
-- What each event comes to for the projections of events alone, made in any order.
CREATE TABLE pieces (projection text NOT NULL, position bigint NOT NULL, piece bytea NOT NULL)

-- name: index_pieces
CREATE INDEX pieces_in_order ON pieces (projection, position)

-- name: add_parts
INSERT INTO parts (partition, rebuild) SELECT unnest(%b::text[]), %b

-- name: is_there
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %b)

-- name: is_indexed
SELECT EXISTS (
    SELECT
      FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
     WHERE relnamespace = %s::text::regnamespace AND relname = %s
)

-- name: tables_in
SELECT relname::text FROM pg_class WHERE relnamespace = %s::text::regnamespace AND relkind = 'r'

-- name: sizes_in
SELECT relname::text, pg_table_size(oid) FROM pg_class WHERE relnamespace = %s::text::regnamespace AND relkind = 'r'

-- name: put_position
INSERT INTO {projections} (name, version, position) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET version = excluded.version, position = excluded.position
