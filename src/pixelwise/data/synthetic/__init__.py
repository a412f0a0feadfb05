"""Drawn street scenes, for the demo and for tests."""
