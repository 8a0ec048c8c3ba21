"""Rebuilding projections from the log beside the live ones: fill, follow, compare, switch, and back."""
