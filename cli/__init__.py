"""The ``provenarium`` command."""
