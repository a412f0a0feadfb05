"""The network at another scale than the images: what it sees, what it gives, and that 1 is as if it were not there."""

import numpy as np
import pytest
import torch
from PIL import Image

from pixelwise.models.segmenter import build_segmenter, scale_ratio, scaled_side
from pixelwise.settings import Settings

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def build(input_scale, **settings):
    torch.manual_seed(0)
    values = {"pretrained": False, "algorithm": "fcn", "backbone": "resnet10t", **settings}
    return build_segmenter(Settings(**values, input_scale=input_scale), 5).eval()


def pictures(count, height, width):
    return torch.randint(0, 256, (count, 3, height, width), dtype=torch.uint8)


def seen(model, images):
    """What the trunk is given."""
    found = []
    handle = model.backbone.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    with torch.no_grad():
        model(images)
    handle.remove()
    return found[0]


@pytest.mark.parametrize(
    ("side", "scale", "expected"),
    [
        (96, 0.5, 48),
        (97, 0.5, 49),
        (1, 0.25, 1),
        (3, 0.25, 1),
        (10, 1.5, 15),
        (480, 0.7, 336),
        (9, 1e-9, 1),
        (5, 8, 40),
    ],
)
def test_a_scaled_side_is_rounded_up(side, scale, expected):
    assert scaled_side(side, scale_ratio(scale)) == expected


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.77])
def test_the_trunk_sees_images_shrunk_as_pillow_shrinks_them(scale):
    images = pictures(1, 60, 83)
    size = tuple(scaled_side(side, scale_ratio(scale)) for side in (60, 83))
    shrunk = [
        np.asarray(Image.fromarray(band.float().numpy()).resize(size[::-1], Image.Resampling.BILINEAR))
        for band in images[0]
    ]
    expected = (torch.from_numpy(np.stack(shrunk))[None] / 255 - MEAN) / STD
    torch.testing.assert_close(seen(build(scale), images), expected, rtol=1e-4, atol=1e-4)


def test_the_trunk_sees_images_enlarged_between_their_pixels():
    images = pictures(1, 8, 8)
    found = seen(build(2), images)
    normal = (images / 255 - MEAN) / STD
    assert found.shape[-2:] == (16, 16)
    # Between two pixels of a row lie a quarter and three quarters of the way; the outermost repeats the border.
    torch.testing.assert_close(found[..., 0, 0], normal[..., 0, 0])
    torch.testing.assert_close(found[..., 0, 1], 0.75 * normal[..., 0, 0] + 0.25 * normal[..., 0, 1])


@pytest.mark.parametrize("scale", [0.25, 0.5, 1.5])
@pytest.mark.parametrize("backbone", ["resnet10t", "test_vit", "convnext_atto"])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 33), (64, 65)])
def test_any_image_size_gives_logits_of_that_size_at_any_scale(backbone, scale, size):
    with torch.no_grad():
        logits = build(scale, backbone=backbone)(torch.zeros(1, 3, *size, dtype=torch.uint8))
    assert logits.main.shape == (1, 5, *size)
    assert logits.main.dtype == torch.float32
    assert logits.main.isfinite().all()


def test_half_the_scale_is_the_plain_network_on_the_shrunk_image():
    half, plain = build(0.5), build(1)
    plain.load_state_dict(half.state_dict())
    images = pictures(1, 64, 96)
    with torch.no_grad():
        maps = plain.backbone(seen(half, images))
        expected = torch.nn.functional.interpolate(plain.head(maps), (64, 96), mode="bilinear")
        torch.testing.assert_close(half(images).main, expected)


def test_a_trunk_that_pads_leaves_the_padding_out_of_the_class_map():
    model, plain = build(0.5, backbone="convnext_atto"), build(1, backbone="convnext_atto")
    plain.load_state_dict(model.state_dict())
    images = pictures(1, 66, 100)
    normal = seen(model, images)
    assert normal.shape[-2:] == (48, 64)  # 33 and 50 up to multiples of 16
    with torch.no_grad():
        maps = plain.backbone(normal)
        whole = torch.nn.functional.interpolate(plain.head(maps), normal.shape[-2:], mode="bilinear")
        expected = torch.nn.functional.interpolate(whole[..., :33, :50], (66, 100), mode="bilinear")
        torch.testing.assert_close(model(images).main, expected)


def test_the_auxiliary_head_gives_logits_of_the_images_and_everything_learns():
    model = build(0.5, aux_loss_weight=0.4, algorithm="deeplabv3plus").train()
    logits = model(pictures(2, 50, 61))
    assert logits.main.shape == logits.auxiliary.shape == (2, 5, 50, 61)
    (logits.main.logsumexp(1).mean() + logits.auxiliary.logsumexp(1).mean()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def operators(model):
    program = torch.export.export(model, (torch.rand(1, 3, 40, 56) * 255,))
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


def test_at_scale_one_no_operation_is_added_to_the_network():
    plain, scaled = operators(build(1)), operators(build(0.5))
    resizes = [sum("upsample" in name for name in names) for names in (plain, scaled)]
    assert resizes == [1, 2]
    assert {name for name in scaled if "upsample" in name} - set(plain) == {"aten._upsample_bilinear2d_aa.vec"}


def test_the_scale_is_no_tensor():
    assert build(0.5).state_dict().keys() == build(1).state_dict().keys()
