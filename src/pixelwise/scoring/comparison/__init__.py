"""Whether a difference between two evaluations is real."""
