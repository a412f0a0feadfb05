"""The content of a report on drawn scenes, whose predictions are their masks, shifted and spoiled."""

import numpy as np
import torch
from PIL import Image

from pixelwise.data.batches import Batch
from pixelwise.data.synthetic.dataset import LABELS, draw_sample
from pixelwise.labels import LabelTable
from pixelwise.report.run.content import ReportContent
from pixelwise.report.run.viewer.panels import choose, make_panel
from pixelwise.scoring.evaluate import Tallies
from pixelwise.scoring.evaluation import image_rows

HISTORY = [
    {
        "epoch": epoch,
        "learning_rate": 0.01 * (1 - (epoch - 1) / 12) ** 0.9,
        "train_loss": 1.6 * 0.8**epoch + 0.2,
        "validation_loss": None if epoch == 3 else 1.5 * 0.82**epoch + 0.3,
        "train_miou": 0.85 - 0.7 * 0.75**epoch,
        "validation_miou": None if epoch == 3 else 0.8 - 0.7 * 0.76**epoch,
        "train_pixel_accuracy": 0.95 - 0.4 * 0.7**epoch,
        "validation_pixel_accuracy": None if epoch == 3 else 0.93 - 0.4 * 0.7**epoch,
        "train_images_per_second": 11.5 + epoch % 3,
        "seconds": 14.2 + epoch % 2,
    }
    for epoch in range(1, 13)
]


def drawn_content(number=15, size=(96, 72), *, labels: LabelTable = LABELS, each=2) -> ReportContent:
    """Scene `i` is predicted `i` pixels too far to the right, with a sure block of "sky" in every fifth."""
    tallies = Tallies(labels, temperature=1.0)
    kept = {}
    for i in range(number):
        image, mask = draw_sample((1, 0, i), size)
        truth = np.array(mask)
        truth[:2] = 255
        predicted = np.roll(np.array(mask), i % 15, axis=1)
        confidence = np.where(predicted == np.array(mask), 0.96, 0.7)
        if i % 5 == 4:
            block = (slice(size[1] // 2, size[1] * 3 // 4), slice(size[0] // 4, size[0] * 3 // 4))
            predicted[block] = 4
            confidence[block] = 0.97
        logits = _logits(predicted, confidence, labels.num_classes)
        batch = Batch(torch.from_numpy(np.array(image).transpose(2, 0, 1).copy())[None], torch.from_numpy(truth)[None])
        tallies.add([f"scene_{i:04}"], batch, logits[None], predicted[None])
        kept[i] = (image, truth, predicted, confidence)
    evaluation = tallies.result()
    chosen = [i for group in choose(evaluation.insight.images, each=each).values() for i in group]
    return ReportContent(
        title="Report of drawn scenes",
        labels=labels,
        scores=evaluation.to_json(),
        images=image_rows(evaluation),
        history=HISTORY,
        settings={"algorithm": "deeplab", "epochs": 12, "learning_rate": 0.01, "pretrained": True, "crop_size": None},
        facts={"train": drawn_facts(labels)},
        provenance={"pixelwise": "0.1.0", "torch": "2.15.0", "seconds": 187.5, "machine": {"cores": 2}},
        panels=[make_panel(f"scene_{i:04}", *kept[i]) for i in chosen],
    )


def drawn_facts(labels: LabelTable):
    """As `Facts.to_json` gives them."""
    regions = {
        "count": 12, "smallest": 0.001, "median": 0.05, "largest": 0.3, "median_extent_px": 20.0,
        "largest_extent_px": 90.0, "typical_extent_px": 44.0, "typical_thickness_px": 12.0,
    }  # fmt: skip
    pixels = [2 ** (10 + i) if i < 12 else 300 * i for i in range(labels.num_classes)]
    return {
        "classes": [
            {
                "id": i, "name": name, "pixels": pixels[i], "pixel_share": pixels[i] / sum(pixels), "images": 3,
                "image_share": 0.75, "regions": regions,
            }
            for i, name in enumerate(labels.names)
        ],
        "imbalance_ratio": 16.0,
        "masks": 4,
        "ignored_share": 0.03,
        "image_sizes": {
            "images": 4, "different": 1, "shorter_side": None, "sizes": [{"width": 96, "height": 72, "images": 4}],
        },
        "pixel_values": {"mean": [0.4, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "pixels": 27648},
    }  # fmt: skip


def many_classes(number: int) -> LabelTable:
    """A table of so many classes, with names that HTML has to escape."""
    return LabelTable.named([f"class <{i}> & co" for i in range(number)])


def blank_image(size=(8, 6), color=(10, 20, 30)) -> Image.Image:
    """One colour."""
    return Image.new("RGB", size, color)


def _logits(predicted, confidence, num_classes):
    """(K, H, W) whose softmax gives `predicted` the probability `confidence` and all others the same."""
    rest = (1 - confidence) / (num_classes - 1)
    logits = np.broadcast_to(np.log(rest), (num_classes, *predicted.shape)).copy()
    np.put_along_axis(logits, predicted[None].astype(np.int64), np.log(confidence)[None], axis=0)
    return torch.from_numpy(logits.astype(np.float32))
