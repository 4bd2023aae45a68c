"""What a call leaves behind: the trail (tamper-evident, always) and telemetry (when asked for)."""
