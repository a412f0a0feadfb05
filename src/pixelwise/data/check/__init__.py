"""Look at every file of a dataset before anything is trained on it."""
