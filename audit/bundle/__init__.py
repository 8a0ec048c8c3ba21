"""Audit bundles: one zip with the events of a scope, the proof that they are the ledger's, and a verifier for it."""
