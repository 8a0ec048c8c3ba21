-- A rebuild also waits for readers, and can be taken back.
ALTER TABLE rebuilds
    DROP CONSTRAINT rebuilds_state_check,
    ADD CONSTRAINT rebuilds_state_check
        CHECK (state IN ('filling', 'indexing', 'following', 'comparing', 'waiting', 'switched', 'switched back',
                         'failed', 'cancelled'));
