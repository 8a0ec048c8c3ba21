"""The projection ``search`` in OpenSearch: the same rows, questions and answers, for museums beyond one PostgreSQL."""
