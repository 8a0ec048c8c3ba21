"""The HTTP interface; its routes come with the server."""
