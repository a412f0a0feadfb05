"""What fits into memory: pieces of a batch, and smaller crops where even the smallest piece is too large."""
