-- The Merkle tree over the log, as tiles (C2SP tlog-tiles), and the checkpoints that were signed for it.

CREATE TABLE ledger_tiles (
    level  smallint NOT NULL,
    index  bigint   NOT NULL,
    hashes bytea    NOT NULL,  -- 1 to 256 hashes of 32 bytes; the last tile of a level may be partial
    PRIMARY KEY (level, index)
);
ALTER TABLE ledger_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Signed notes (C2SP tlog-checkpoint), only ever added. What proves something is the copy that others hold.
CREATE TABLE checkpoints (
    origin    text        NOT NULL,
    size      bigint      NOT NULL CHECK (size >= 0),
    root      bytea       NOT NULL,
    note      bytea       NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (origin, size, note)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
