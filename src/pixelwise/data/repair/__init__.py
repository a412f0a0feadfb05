"""A corrected copy of a dataset, and what was changed in it."""
