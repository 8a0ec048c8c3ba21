"""The database schema of a ledger, as numbered plain SQL files, applied in order and never changed afterwards."""
