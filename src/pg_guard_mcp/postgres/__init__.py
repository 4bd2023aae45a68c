"""The only asyncpg: a pool, read-only transactions, the catalog snapshot, SQLSTATE in our words."""
