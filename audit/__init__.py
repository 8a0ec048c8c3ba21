"""Proof: that what is stored adds up, checked against the log and nothing else."""
