"""Real faults around the real server, and what they leave behind."""

from __future__ import annotations

from tools.faults.crashes import CRASHES
from tools.faults.crowds import CROWDS
from tools.faults.networks import NETWORKS
from tools.faults.surroundings import SURROUNDINGS

FAULTS = (*CRASHES, *NETWORKS, *SURROUNDINGS, *CROWDS)
