"""A transparency log: Merkle tree (RFC 9162), tiles, signed notes and checkpoints (C2SP), and the keys that sign."""
