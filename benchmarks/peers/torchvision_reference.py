"""torchvision's segmentation recipe as a user writes it, for a given time; prints its scores as JSON.

After references/segmentation/{train,presets}.py of torchvision: short side 260 to 1040 (base size 520),
flip, crop 480 with padding 0 and 255, ImageNet normalisation, SGD 0.01 with momentum 0.9 and weight
decay 1e-4, poly 0.9 on every iteration, cross-entropy without 255, auxiliary head at weight 0.5 and ten
times the rate, batch 8, float32, random weights. Two deviations, both in its favour: the schedule ends
when the time is up, whatever the speed, and the minutes do not include the evaluation. That one feeds
images at short side 520, as the reference does, and scores at the masks' own size.
"""

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from clock import CLOCKS
from dataset import IGNORED, Folder, count_classes, write_mask
from torch import nn
from torch.utils.data import DataLoader
from torchvision import models, transforms
from torchvision.transforms import functional

BASE_SIZE, CROP_SIZE = 520, 480
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def to_tensors(image, mask):
    tensor = functional.normalize(functional.to_tensor(image), MEAN, STD)
    return tensor, torch.as_tensor(np.array(mask), dtype=torch.int64)


def training_transform(image, mask):
    side = random.randint(int(0.5 * BASE_SIZE), int(2.0 * BASE_SIZE))
    image = functional.resize(image, side)
    mask = functional.resize(mask, side, interpolation=transforms.InterpolationMode.NEAREST)
    if random.random() < 0.5:
        image, mask = functional.hflip(image), functional.hflip(mask)
    missing = (max(0, CROP_SIZE - image.width), max(0, CROP_SIZE - image.height))
    if any(missing):
        image = functional.pad(image, [0, 0, *missing], fill=0)
        mask = functional.pad(mask, [0, 0, *missing], fill=IGNORED)
    corner = transforms.RandomCrop.get_params(image, (CROP_SIZE, CROP_SIZE))
    return to_tensors(functional.crop(image, *corner), functional.crop(mask, *corner))


def evaluation_transform(image, mask):
    return to_tensors(functional.resize(image, BASE_SIZE), mask)


def build(name, num_classes):
    extra = {} if name.startswith("lraspp") else {"aux_loss": True}
    return models.get_model(name, weights=None, weights_backbone=None, num_classes=num_classes, **extra)


def build_optimizer(model):
    groups = [{"params": [*model.backbone.parameters(), *model.classifier.parameters()]}]
    if getattr(model, "aux_classifier", None) is not None:
        groups.append({"params": [*model.aux_classifier.parameters()], "lr": 0.1})
    return torch.optim.SGD(groups, lr=0.01, momentum=0.9, weight_decay=1e-4)


def pixel_loss(outputs, class_ids):
    loss = nn.functional.cross_entropy(outputs["out"], class_ids, ignore_index=IGNORED)
    if "aux" in outputs:
        loss = loss + 0.5 * nn.functional.cross_entropy(outputs["aux"], class_ids, ignore_index=IGNORED)
    return loss


def train(model, loader, seconds, now):
    """Iterations done; the share of time over is the share of the schedule, as if the speed were known."""
    optimizer = build_optimizer(model)
    initial = [group["lr"] for group in optimizer.param_groups]
    start, iterations = now(), 0
    model.train()
    while True:
        for images, class_ids in loader:
            share = (now() - start) / seconds
            if share >= 1:
                return iterations
            for group, rate in zip(optimizer.param_groups, initial, strict=True):
                group["lr"] = rate * (1 - share) ** 0.9
            loss = pixel_loss(model(images), class_ids)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            iterations += 1


@torch.no_grad()
def predict(model, dataset):
    """Truth and prediction of each image at the mask's own size, and its file."""
    model.eval()
    for i, (path, _) in enumerate(dataset.files):
        image, mask = dataset[i]
        logits = model(image[None])["out"]
        logits = nn.functional.interpolate(logits, mask.shape, mode="bilinear", align_corners=False)
        yield mask.numpy(), logits[0].argmax(0).numpy(), path


def confusion(predictions, num_classes, folder=None):
    """(K, K) int64, rows truth, over all labelled pixels; the masks are also written where a folder is given."""
    counts = np.zeros((num_classes, num_classes), dtype=np.int64)
    for truth, predicted, path in predictions:
        labelled = truth != IGNORED
        pairs = truth[labelled] * num_classes + predicted[labelled]
        counts += np.bincount(pairs, minlength=num_classes**2).reshape(counts.shape)
        if folder:
            write_mask(predicted, folder, path)
    return counts


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seconds", type=float, help="instead of minutes: from the start of the process on")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--model", default="lraspp_mobilenet_v3_large", help="any segmentation model's name")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--split", default="validation", help="what is scored")
    parser.add_argument("--masks", type=Path, help="write the masks of the split into this folder")
    return parser.parse_args()


def main():
    arguments = parsed()
    torch.manual_seed(arguments.seed)
    random.seed(arguments.seed)
    now = CLOCKS[arguments.clock]
    num_classes = count_classes(arguments.dataset)
    model = build(arguments.model, num_classes)
    images = Folder(arguments.dataset, "train", training_transform)
    loader = DataLoader(
        images,
        batch_size=arguments.batch,
        shuffle=True,
        drop_last=len(images) >= arguments.batch,
        num_workers=arguments.workers,
        persistent_workers=arguments.workers > 0,
    )
    start = now()
    seconds = arguments.minutes * 60 if arguments.seconds is None else arguments.seconds - start
    iterations = train(model, loader, seconds, now)
    end = now()
    scored = Folder(arguments.dataset, arguments.split, evaluation_transform)
    counts = confusion(predict(model, scored), num_classes, arguments.masks)
    hits, union = counts.diagonal(), counts.sum(0) + counts.sum(1) - counts.diagonal()
    iou = hits[union > 0] / union[union > 0]
    scores = {
        "model": arguments.model,
        "mean_iou": float(iou.mean()),
        "pixel_accuracy": float(hits.sum() / counts.sum()),
        "steps": iterations,
        "epochs": iterations / len(loader),
        "images_per_second": iterations * arguments.batch / (end - start),
        "seconds": end - start if arguments.seconds is None else end,
    }
    print(json.dumps(scores))


if __name__ == "__main__":
    main()
