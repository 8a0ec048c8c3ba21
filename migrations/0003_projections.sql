-- Read models: derived from the log, each with the position up to which it is current.

CREATE TABLE projections (
    name     text   PRIMARY KEY,
    version  int    NOT NULL,
    position bigint NOT NULL
);

-- The current state of every object.
CREATE TABLE objects (
    pid        text        PRIMARY KEY,
    type       text        NOT NULL,
    version    bigint      NOT NULL,
    tombstoned boolean     NOT NULL,
    digest     bytea       NOT NULL,
    document   bytea       NOT NULL,  -- content of the current version, compressed JSON
    created_at timestamptz NOT NULL,
    recorded   timestamptz NOT NULL,
    occurred   timestamptz NOT NULL
);
ALTER TABLE objects ALTER COLUMN document SET STORAGE EXTERNAL;

-- One row an event.
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
    source        text,               -- PID of the source system, when it came from one
    digest        bytea       NOT NULL,
    terms         text[]      NOT NULL,
    PRIMARY KEY (pid, version)
);
CREATE INDEX versions_position ON versions (position);
CREATE INDEX versions_recorded ON versions (recorded);
CREATE INDEX versions_occurred ON versions (occurred);
CREATE INDEX versions_cause ON versions (cause_id) WHERE cause_id IS NOT NULL;

-- Blame: one row a changed term, from version 2 on. A term without a row belongs to version 1.
CREATE TABLE terms (
    pid      text   NOT NULL,
    version  bigint NOT NULL,
    ordinal  int    NOT NULL,
    term     text   NOT NULL,  -- path without array positions
    pointer  text   NOT NULL,  -- JSON Pointer in this version, or in the one before if it was removed
    standing text,             -- JSON Pointer in the current version while this is its last change
    old      bytea,            -- canonical JSON; null: absent
    new      bytea,            -- canonical JSON; null: removed
    PRIMARY KEY (pid, version, ordinal)
);
CREATE INDEX terms_standing ON terms (pid) WHERE standing IS NOT NULL;
CREATE INDEX terms_term ON terms USING hash (term);  -- a term may be longer than a B-tree takes
