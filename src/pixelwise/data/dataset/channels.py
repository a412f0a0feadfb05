"""The folders of a dataset by name, and the types of images in them."""

SPLITS = ("train", "validation", "test")
CHANNELS = tuple(name for split in SPLITS for name in (split, f"{split}_annotation"))
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
