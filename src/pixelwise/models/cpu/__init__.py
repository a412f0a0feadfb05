"""Exact rewrites of layers that a CPU computes faster."""
