"""What `train` does where nobody said otherwise: facts of data and machine -> settings, each with its reason."""
