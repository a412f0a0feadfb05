"""What `train` does where nobody said otherwise: facts of the data and the machine -> settings, each with its reason."""
