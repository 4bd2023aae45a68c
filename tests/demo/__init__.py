"""The throw-away Postgres and the demo shop."""
