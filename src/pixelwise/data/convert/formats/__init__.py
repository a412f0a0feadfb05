"""The layouts that `convert` reads: a file each, or a folder."""
