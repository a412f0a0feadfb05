"""Folders of images and masks as peers read them."""

import json

import numpy as np
from PIL import Image
from torch.utils.data import Dataset

IGNORED = 255


class Folder(Dataset):
    """Images and masks of one split, paired by stem."""

    def __init__(self, root, split, transform):
        masks = {path.stem: path for path in (root / f"{split}_annotation").iterdir()}
        images = sorted(path for path in (root / split).iterdir() if path.stem in masks)
        self.files = [(path, masks[path.stem]) for path in images]
        self.transform = transform

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        image, mask = self.files[index]
        return self.transform(Image.open(image).convert("RGB"), Image.open(mask))


def count_classes(root):
    if (root / "classes.json").is_file():
        return len(json.loads((root / "classes.json").read_text(encoding="utf-8")))
    values = [np.unique(np.array(Image.open(path))) for path in (root / "train_annotation").iterdir()]
    found = np.unique(np.concatenate(values))
    return int(found[found != IGNORED].max()) + 1


def write_mask(class_ids, folder, image):
    """Class ids (H, W) as an 8-bit gray PNG that is named after the image."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(class_ids.astype(np.uint8)).save(folder / f"{image.stem}.png")
