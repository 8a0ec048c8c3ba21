"""The search index: full text and facets, as of now and as of any position of the log."""
