"""How the training went: curves and what they say."""
