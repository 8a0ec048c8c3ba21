-- Rebuilds of projections: what each is at, for whoever wants to know, and how far it came, so that a killed one goes on.
CREATE TABLE rebuilds (
    id          uuid        PRIMARY KEY,
    projections jsonb       NOT NULL,  -- version by name
    state       text        NOT NULL
        CHECK (state IN ('filling', 'indexing', 'following', 'comparing', 'switched', 'failed', 'cancelled')),
    horizon     bigint      NOT NULL,  -- the log as it was when the rebuild began: that far the workers fill in
    events      bigint      NOT NULL DEFAULT 0,
    total       bigint      NOT NULL,
    rate        real        NOT NULL DEFAULT 0,  -- events a second
    workers     int         NOT NULL,
    failure     jsonb,                 -- the event a projection could not take in, and why
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz
);
CREATE INDEX rebuilds_started ON rebuilds (started_at)
