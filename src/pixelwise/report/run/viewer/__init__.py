"""The viewer of predictions, and its pictures."""
