"""The append-only event log on PostgreSQL: recorder, application, compression, embedded server, migrations."""
