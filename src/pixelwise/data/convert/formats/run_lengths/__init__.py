"""Run lengths in CSV."""
