"""Settings: sources, values, DSNs."""
