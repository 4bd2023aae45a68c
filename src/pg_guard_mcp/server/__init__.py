"""The only MCP: four tools, over stdio and over Streamable HTTP."""
