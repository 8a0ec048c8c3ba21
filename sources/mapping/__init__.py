"""From Darwin Core records to openDS documents, by a table that is data with a version."""
