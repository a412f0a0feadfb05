"""Segmentation networks that others have trained and published: what is taken of their weights."""
