"""A plain U-Net as a user of segmentation_models.pytorch writes it, trained for given seconds; writes its masks.

    python smp_unet.py DATASET MASKS --seconds 120 [--encoder tu-mobilenetv2_100 --encoder-weights FILE]

U-Net on ResNet-18 from random weights, AdamW 1e-3 with half a cosine over the seconds, Dice and cross-entropy without
255, no class weights, crops of 256 (padded with 0 and 255), mirrored or not, batch 8, float32, normalised as the
encoder's weights want it. The seconds begin with the process and do not hold the masks. The last line is JSON.
"""

import argparse
import functools
import json
import math
import random
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from clock import CLOCKS
from dataset import IGNORED, Folder, count_classes, write_mask
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.transforms import functional

CROP, BATCH, RATE = 256, 8, 1e-3
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def to_tensors(image, mask, mean, std):
    tensor = functional.normalize(functional.to_tensor(image), mean, std)
    return tensor, torch.as_tensor(np.array(mask), dtype=torch.int64)


def training_transform(image, mask, mean, std):
    missing = [0, 0, max(0, CROP - image.width), max(0, CROP - image.height)]
    image, mask = functional.pad(image, missing, fill=0), functional.pad(mask, missing, fill=IGNORED)
    corner = transforms.RandomCrop.get_params(image, (CROP, CROP))
    image, mask = functional.crop(image, *corner), functional.crop(mask, *corner)
    if random.random() < 0.5:
        image, mask = functional.hflip(image), functional.hflip(mask)
    return to_tensors(image, mask, mean, std)


def evaluation_transform(image, mask, mean, std):
    missing = [0, 0, -image.width % 32, -image.height % 32]  # a U-Net halves five times
    return to_tensors(functional.pad(image, missing, fill=0), mask, mean, std)


def load_encoder(encoder, file):
    """How many tensors the encoder has, all loaded: by name, or in order where the file has names of its own."""
    given = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    given = {name: tensor for name, tensor in given.items() if not name.endswith("num_batches_tracked")}
    wanted = {name: each for name, each in encoder.state_dict().items() if not name.endswith("num_batches_tracked")}
    if not wanted.keys() <= given.keys():
        given = dict(zip(wanted, given.values(), strict=False))  # the file ends with the classifier
    unlike = [name for name, tensor in wanted.items() if name not in given or given[name].shape != tensor.shape]
    if unlike:
        raise SystemExit(f"{file}: {len(unlike)} tensors do not fit the encoder, the first is {unlike[0]}")
    encoder.load_state_dict({name: given[name] for name in wanted}, strict=False)
    return len(wanted)


def train(model, loader, seconds, now):
    """Steps done."""
    dice, entropy = smp.losses.DiceLoss("multiclass", ignore_index=IGNORED), nn.CrossEntropyLoss(ignore_index=IGNORED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    steps = 0
    model.train()
    while True:
        for images, class_ids in loader:
            share = now() / seconds
            if share >= 1:
                return steps
            optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * share))
            logits = model(images)
            loss = dice(logits, class_ids) + entropy(logits, class_ids)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            steps += 1


@torch.no_grad()
def write_masks(model, dataset, folder):
    model.eval()
    for i, (path, _) in enumerate(dataset.files):
        image, mask = dataset[i]
        classes = model(image[None])[0].argmax(0).numpy()
        write_mask(classes[: mask.shape[0], : mask.shape[1]], folder, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("masks", type=Path, help="folder for the masks of the split")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--split", default="validation")
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--encoder-weights", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    now = CLOCKS[arguments.clock]
    model = smp.Unet(arguments.encoder, encoder_weights=None, classes=count_classes(arguments.dataset))
    norm, loaded = IMAGENET, 0
    if arguments.encoder_weights:
        loaded = load_encoder(model.encoder.model, arguments.encoder_weights)
        of_weights = smp.encoders.get_preprocessing_params(arguments.encoder)
        norm = {name: of_weights[name] for name in IMAGENET}
    images = Folder(arguments.dataset, "train", functools.partial(training_transform, **norm))
    few = len(images) < BATCH
    workers = {"num_workers": arguments.workers, "persistent_workers": arguments.workers > 0}
    loader = DataLoader(images, BATCH, shuffle=True, drop_last=not few, **workers)
    steps = train(model, loader, arguments.seconds, now)
    facts = {"steps": steps, "epochs": steps / len(loader), "seconds": now(), "tensors_loaded": loaded}
    scored = Folder(arguments.dataset, arguments.split, functools.partial(evaluation_transform, **norm))
    write_masks(model, scored, arguments.masks)
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
