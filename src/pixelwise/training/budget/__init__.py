"""A time for the whole job: how much of it is left to train, and what comes after training."""
