"""Verdicts on a candidate, each with its evidence, from raw samples alone."""
