"""Views in a real Postgres, and the masks that their columns inherit."""
