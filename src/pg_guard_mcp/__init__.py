"""An MCP server that lets AI agents read Postgres, and nothing else. Start at `pipeline`."""

__version__ = "0.1.0"
