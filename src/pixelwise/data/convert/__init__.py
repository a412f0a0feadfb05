"""Foreign layouts -> ours: one reader a format hands items to one writer."""
