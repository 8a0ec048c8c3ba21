"""Exports of provenance by scope: documents of any size, written in constant memory, interrupted and gone on with."""
