"""A shop to try the guard on: a throw-away Postgres, its data, its role and its policy."""
