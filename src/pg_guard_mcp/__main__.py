"""Run the command line as `python -m pg_guard_mcp`."""

import sys

from pg_guard_mcp.cli.main import main

sys.exit(main())
