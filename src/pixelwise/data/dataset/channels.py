"""The folders of a dataset by name, and the types of images in them."""

SPLITS = ("train", "validation", "test")
CHANNELS = tuple(name for split in SPLITS for name in (split, f"{split}_annotation"))
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
MASK_SUFFIXES = IMAGE_SUFFIXES | {".gif"}
"""A mask of another type than PNG is matched too, so that the fault is its type and not a missing mask."""
ARRAY_SUFFIXES = frozenset({".npy"})
"""Of masks that are arrays; they count where a folder has no pictures, beside which they are something else."""

PREDICTED_SUFFIXES = IMAGE_SUFFIXES | {
    *(".jpe", ".jfif", ".mpo", ".gif", ".apng", ".dib", ".jp2", ".j2k", ".avif", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".tga", ".pcx", ".sgi", ".dds", ".ico", ".icns", ".qoi"),
}
"""What `predict` takes: a dataset's images and all else that Pillow reads without other packages."""
