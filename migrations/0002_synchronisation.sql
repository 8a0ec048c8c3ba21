-- Runs of synchronisation with a source, what each did to each record, and what a source said last.

CREATE TABLE runs (
    id          uuid        PRIMARY KEY,
    source      text        NOT NULL,  -- PID of the source system
    kind        text        NOT NULL CHECK (kind IN ('sync', 'revert')),
    archive     text        NOT NULL,  -- SHA-256 of the archive; '' for a revert
    mapping     text        NOT NULL,
    options     jsonb       NOT NULL,
    occurred    timestamptz NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    reverts     uuid        REFERENCES runs (id),
    reverted_by uuid        REFERENCES runs (id),
    counts      jsonb       NOT NULL DEFAULT '{}'
);
CREATE INDEX runs_source ON runs (source, started_at);

CREATE TABLE run_items (
    run            uuid   NOT NULL REFERENCES runs (id),
    ordinal        bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    type           text   NOT NULL,
    key            text,               -- natural key, when the record has one
    place          text,               -- where the record stands in the archive
    outcome        text   NOT NULL,    -- created, updated, restored, tombstoned, missing, conflict, parked, ...
    pid            text,
    version_before bigint,             -- null: the object did not exist
    version_after  bigint,
    reason         text,
    details        jsonb,
    previous       jsonb,              -- the source_records row before this run, for reverting
    PRIMARY KEY (run, ordinal)
);
CREATE INDEX run_items_pid ON run_items (pid);
-- A run that was killed and goes on meets the same records again.
CREATE UNIQUE INDEX run_items_once
    ON run_items (run, type, outcome, coalesce(key, ''), coalesce(place, ''), coalesce(version_before, 0));

-- What each source said last about each record. Where that equals a version of the object, only the
-- version is kept; where curation differs from it, the document itself.
CREATE TABLE source_records (
    source          text   NOT NULL,
    type            text   NOT NULL,
    key             text   NOT NULL,
    record_id       text   NOT NULL,  -- the source's own id of the record (the archive's core id)
    pid             text   NOT NULL,
    record_digest   bytea  NOT NULL,  -- SHA-256 of what was read and of the mapping that read it
    document_digest bytea  NOT NULL,  -- SHA-256 of the document it was mapped to
    version         bigint,           -- the version that equals that document
    document        bytea,            -- or the document itself, compressed
    media           text[] NOT NULL DEFAULT '{}',  -- natural keys of the media that a specimen lists
    present         boolean NOT NULL, -- false once it was found missing and tombstoned
    run             uuid   NOT NULL,
    PRIMARY KEY (source, type, key),
    CHECK ((version IS NULL) <> (document IS NULL))
);
CREATE INDEX source_records_record_id ON source_records (source, record_id);
CREATE INDEX source_records_pid ON source_records (pid);
CREATE INDEX source_records_media ON source_records USING gin (media);
