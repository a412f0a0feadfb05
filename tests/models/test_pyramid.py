"""The feature pyramid of plain transformers: ViTDet's, and networks of before there was one."""

import dataclasses

import pytest
import torch
import torch.nn.functional as F

from pixelwise.bundle import Bundle, load_bundle, save_bundle
from pixelwise.labels import LabelTable
from pixelwise.menus import HEADS
from pixelwise.models.pyramid import Pyramid, has_pyramid, level_strides
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings
from pixelwise.training.initial import start_from

LABELS = LabelTable.numbered(3)


def settings_of(algorithm, backbone="test_vit", **values):
    return Settings(algorithm=algorithm, backbone=backbone, pretrained=False, num_classes=3, **values)


@pytest.mark.parametrize(
    ("stride", "output_stride", "expected"),
    [
        (16, 32, (4, 8, 16, 32)),  # ViTDet, section 3
        (16, 16, (4, 8, 16, 16)),
        (16, 8, (4, 8, 16, 16)),
        (14, 32, (3.5, 7, 14, 28)),
        (8, 16, (2, 4, 8, 16)),
    ],
)
def test_levels_are_a_quarter_to_twice_the_patch_and_obey_the_output_stride(stride, output_stride, expected):
    assert level_strides(stride, output_stride) == expected


def test_each_level_is_the_map_scaled_and_convolved_twice_with_layernorm_over_channels():
    # As in detectron2's SimpleFeaturePyramid, written out; the map has an odd number of rows.
    torch.manual_seed(0)
    pyramid = Pyramid(32, 16, output_stride=32, levels=(0, 1, 2, 3))
    assert (pyramid.channels, pyramid.strides) == ((32,) * 4, (4, 8, 16, 32))
    last = torch.randn(2, 32, 5, 4)

    def norm(features, layer):
        mean, variance = features.mean(1, keepdim=True), features.var(1, keepdim=True, unbiased=False)
        return (features - mean) / (variance + 1e-6).sqrt() * layer.weight[:, None, None] + layer.bias[:, None, None]

    def transposed(features, layer):
        """Kernel 2, stride 2: each position becomes 2x2, each of them a matrix product."""
        tiles = torch.einsum("nchw,cdij->ndhiwj", features, layer.weight)
        return tiles.flatten(4, 5).flatten(2, 3) + layer.bias[:, None, None]

    for layer in pyramid.modules():
        if isinstance(layer, torch.nn.LayerNorm):
            torch.nn.init.normal_(layer.weight)
            torch.nn.init.normal_(layer.bias)
    fine, double, same, half = pyramid
    with torch.no_grad():
        twice = transposed(F.gelu(norm(transposed(last, fine[0]), fine[1])), fine[3])
        pooled = F.max_pool2d(F.pad(last, (0, 0, 0, 1), value=-torch.inf), 2)
        scaled = [(twice, fine[4:]), (transposed(last, double[0]), double[1:]), (last, same), (pooled, half[1:])]
        for (features, (one, first, three, second)), found in zip(scaled, pyramid(last), strict=True):
            expected = norm(F.conv2d(norm(F.conv2d(features, one.weight), first), three.weight, padding=1), second)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert [level.shape[-2:] for level in pyramid(last)] == [(20, 16), (10, 8), (5, 4), (3, 2)]


def test_a_narrow_trunk_has_a_narrow_pyramid_of_the_levels_that_the_head_takes():
    strides = {
        name: build_segmenter(settings_of(name), 3, load_weights=False).backbone.strides for name in sorted(HEADS)
    }
    plain, every = (16, 16, 16), (4, 8, 16, 16)
    assert strides == {
        "deeplab": plain,
        "deeplabv3plus": (4, 16),
        "dilated": plain,
        "fcn": plain,
        "lraspp": (8, 16),
        "psp": plain,
        "segformer": every,
        "unet": every,
        "upernet": every,
    }
    backbone = build_segmenter(settings_of("unet", output_stride=32), 3, load_weights=False).backbone
    assert (backbone.strides, backbone.channels) == ((4, 8, 16, 32), (64,) * 4)  # test_vit has 64 channels
    images = torch.zeros(1, 3, 48, 80)
    assert [tuple(each.shape[-2:]) for each in backbone(images)] == [(12, 20), (6, 10), (3, 5), (2, 3)]


@pytest.mark.parametrize("backbone", ["vit_small_patch14_dinov2", "vit_small_patch16_dinov3"])
def test_deeplabv3plus_has_a_fine_map_on_the_trunks_of_meta(backbone):
    model = build_segmenter(settings_of("deeplabv3plus", backbone), 3, load_weights=False).eval()
    patch = model.backbone.sides.multiple
    assert model.backbone.strides == (patch / 4, patch)
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 33, 30, dtype=torch.uint8)).main.shape == (1, 3, 33, 30)


@pytest.fixture
def before(tmp_path):
    """A bundle as it was written before there were pyramids and paddings, and the logits of its network."""
    torch.manual_seed(0)
    settings = settings_of("deeplabv3plus")
    model = build_segmenter(settings, 3, load_weights=False, pyramid=False).eval()
    save_bundle(tmp_path / "model", Bundle(settings, LABELS, {}, {}, model.state_dict()))
    images = torch.randint(0, 256, (1, 3, 40, 50), dtype=torch.uint8)
    with torch.no_grad():
        return tmp_path / "model", images, model(images).main


def test_bundles_of_before_there_was_a_pyramid_give_the_same_logits(before):
    folder, images, expected = before
    bundle = load_bundle(folder)
    assert bundle.padding is None
    model = bundle.build_model()
    assert not has_pyramid(bundle.state)
    assert model.backbone.strides == (16, 16, 16)
    with torch.no_grad():
        assert torch.equal(model(images).main, expected)


def test_bundles_with_a_pyramid_come_back_with_it_and_with_their_padding(tmp_path):
    settings = settings_of("upernet", aux_loss_weight=0.4)
    model = build_segmenter(settings, 3, load_weights=False)
    saved = Bundle(settings, LABELS, {}, {}, model.state_dict(), padding=model.backbone.sides)
    save_bundle(tmp_path / "model", saved)
    loaded = load_bundle(tmp_path / "model")
    assert loaded.padding == saved.padding == (16, 0)
    images = torch.randint(0, 256, (1, 3, 40, 50), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded.build_model()(images).main, model.eval()(images).main)


def test_a_training_starts_from_a_network_of_either_kind():
    for pyramid in (False, True):
        torch.manual_seed(1)
        trained = build_segmenter(settings_of("deeplabv3plus"), 3, load_weights=False, pyramid=pyramid)
        initial = Bundle(settings_of("deeplabv3plus"), LABELS, {}, {}, trained.state_dict())
        model = build_segmenter(initial.settings, 3, load_weights=False, pyramid=has_pyramid(initial.state))
        said = start_from(model, initial, initial.settings)
        assert "starts anew" not in said
        assert all(torch.equal(tensor, initial.state[name]) for name, tensor in model.state_dict().items())
        assert dataclasses.replace(initial).padding is None
