"""Supervisely."""
