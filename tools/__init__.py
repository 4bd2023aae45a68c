"""Commands for whoever works on the guard: what it reads, and what proves it."""
