"""Real faults around the real server, and what they leave behind."""

from __future__ import annotations

from tools.faults.crashes import CRASHES
from tools.faults.crowds import CROWDS
from tools.faults.failovers import FAILOVERS
from tools.faults.networks import NETWORKS
from tools.faults.processes import PROCESSES
from tools.faults.surroundings import SURROUNDINGS

FAULTS = (*CRASHES, *FAILOVERS, *NETWORKS, *SURROUNDINGS, *PROCESSES, *CROWDS)
