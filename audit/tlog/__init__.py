"""Signed notes and checkpoints (C2SP) of a ledger, and the keys that sign them; no database."""
