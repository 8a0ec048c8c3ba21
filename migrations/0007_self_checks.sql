-- Passes of the continuous self-check: how far each got, so that a killed one goes on, and what it found.
CREATE TABLE self_checks (
    id          uuid        PRIMARY KEY,
    position    bigint      NOT NULL,  -- the log as it was when the pass began: that far it verifies
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    after_pid   text,                  -- objects up to here are done; null: none
    objects     bigint      NOT NULL DEFAULT 0,
    events      bigint      NOT NULL DEFAULT 0,
    problems    jsonb       NOT NULL DEFAULT '[]',
    finished_at timestamptz
);
CREATE INDEX self_checks_started ON self_checks (started_at);
