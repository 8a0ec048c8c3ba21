"""Measurements of the store, beside what the machine can do at best."""
