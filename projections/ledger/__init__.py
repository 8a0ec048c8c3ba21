"""The log as a Merkle tree (RFC 9162) in tiles (C2SP): what proves that an event is in it, and that it only grew."""
