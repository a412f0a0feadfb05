"""Models to export: of random weights, with logits as large as those of trained ones."""

import numpy as np
import torch
from torch import nn

from pixelwise.bundle import Bundle, save_bundle
from pixelwise.data.bands import PHOTOGRAPH
from pixelwise.labels import LabelTable
from pixelwise.models.prior import Prior
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings

LABELS = LabelTable.named(["road", "sky", "wall"])
TEMPERATURE = 1.5
PRIOR = Prior((0.5, 4.0, 0.0), 0.25)


def save_model(folder, algorithm, backbone, *, align_corners, output_stride=8, bands=PHOTOGRAPH, input_scale=1.0):
    """A bundle of random weights and statistics whose logits are as large as those of trained networks."""
    values = {"algorithm": algorithm, "backbone": backbone, "align_corners": align_corners, "pretrained": False}
    settings = Settings.of(
        {
            **values,
            "output_stride": output_stride,
            "input_scale": input_scale,
            "num_classes": 3,
            "aux_loss_weight": 0,
        }
    )
    torch.manual_seed(0)
    model = build_segmenter(settings, 3, load_weights=False, bands=bands).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        model.head.classify.bias.zero_()
        lowest, highest = np.array(bands.ranges, dtype=np.float32).T[:, :, None, None]
        shares = torch.randint(0, 256, (2, bands.count, 97, 131)) / 255
        logits = model(torch.from_numpy(lowest) + shares * torch.from_numpy(highest - lowest)).main
        scale = 3 / logits.std(dim=(0, 2, 3)).clamp(min=0.01)
        model.head.classify.weight.mul_(scale[:, None, None, None])
        model.head.classify.bias.copy_(-scale * logits.mean(dim=(0, 2, 3)))
    facts = {"date": "2026-11-21"}
    save_bundle(folder, Bundle(settings, LABELS, {}, facts, model.state_dict(), TEMPERATURE, bands, PRIOR))
    return folder
