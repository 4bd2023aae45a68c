"""Masks proposed for a database, by what its columns are called and what their values look like.

Pure, like all of the guard: `postgres` reads the samples, and no sampled value gets out of here.
"""
