"""Darwin Core Archives and Simple Darwin Core, as strangers make them: streamed, in bounded memory."""
