"""What a source says now against what it said last: runs, their decisions, and their reversal."""
