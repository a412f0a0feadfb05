"""Files that name the classes, as people and their tools write them, read into the form of classes.json."""
