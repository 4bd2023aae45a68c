"""The guard: text in, verdict and guarded SQL out, masked text back. Pure: no I/O, no clock."""
