"""What a split holds, and what follows from it for training."""
