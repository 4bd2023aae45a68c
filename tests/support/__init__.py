"""What the suite stands on: fixtures that start Postgres, and readers of the corpora."""
