"""The one writer of converted datasets."""
