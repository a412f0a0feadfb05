"""ADE20K: the scene-parsing benchmark and the full dataset."""
