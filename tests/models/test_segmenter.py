"""The whole network: equal to torchvision's with the same weights, any image size, any head, any trunk."""

import pytest
import torch
import torchvision

from pixelwise.data.bands import PHOTOGRAPH, Bands
from pixelwise.errors import SettingsError
from pixelwise.menus import HEADS
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def build(**settings):
    return build_segmenter(Settings(**{"pretrained": False, "aux_loss_weight": 0.4, **settings}), 5)


@pytest.mark.parametrize(("algorithm", "peer"), [("fcn", "fcn_resnet50"), ("deeplab", "deeplabv3_resnet50")])
def test_with_equal_weights_logits_equal_those_of_torchvision(algorithm, peer):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models.segmentation, peer)(
        weights=None, weights_backbone=None, num_classes=5, aux_loss=True
    ).eval()
    ours = build(algorithm=algorithm, backbone="resnet50", output_stride=8).eval()
    for name, buffer in theirs.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    ours.backbone.trunk.load_state_dict(theirs.backbone.state_dict())
    for mine, other in ((ours.head, theirs.classifier), (ours.auxiliary, theirs.aux_classifier)):
        mine.load_state_dict(dict(zip(mine.state_dict(), other.state_dict().values(), strict=True)))
    images = torch.randint(0, 256, (1, 3, 65, 73), dtype=torch.uint8)
    with torch.no_grad():
        expected = theirs((images / 255 - MEAN) / STD)
        logits = ours(images)
        maps = ours.backbone((images / 255 - MEAN) / STD)
        auxiliary = torch.nn.functional.interpolate(ours.auxiliary(maps[:-1]), (65, 73), mode="bilinear")
    scale = expected["out"].abs().max()
    assert scale > 1e-3
    torch.testing.assert_close(logits.main, expected["out"], rtol=1e-4, atol=1e-4 * float(scale))
    torch.testing.assert_close(auxiliary, expected["aux"], rtol=1e-4, atol=1e-4)
    assert logits.auxiliary is None


@pytest.mark.parametrize("algorithm", ["fcn", "deeplabv3plus"])
def test_with_aligned_corners_the_corners_of_the_class_map_are_those_of_the_head(algorithm):
    torch.manual_seed(0)
    model = build(algorithm=algorithm, backbone="resnet10t", output_stride=16, align_corners=True).eval()
    images = torch.randint(0, 256, (1, 3, 50, 61), dtype=torch.uint8)
    with torch.no_grad():
        maps = model.backbone((images / 255 - MEAN) / STD)
        coarse, fine = model.head(maps), model(images).main
    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        torch.testing.assert_close(fine[..., *corner], coarse[..., *corner], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("backbone", ["resnet10t", "mobilenetv2_100", "convnext_atto"])
@pytest.mark.parametrize("algorithm", HEADS)
def test_every_head_learns_on_every_family_of_trunks(algorithm, backbone):
    torch.manual_seed(0)
    model = build(algorithm=algorithm, backbone=backbone, output_stride=16)
    logits = model(torch.randint(0, 256, (2, 3, 50, 61), dtype=torch.uint8))
    assert logits.main.shape == logits.auxiliary.shape == (2, 5, 50, 61)
    (logits.main.logsumexp(1).mean() + logits.auxiliary.logsumexp(1).mean()).backward()
    missing = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert missing == []
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("algorithm", ["lraspp", "segformer", "unet", "upernet"])
@pytest.mark.parametrize("backbone", ["test_resnet", "test_vit"])
def test_heads_of_many_maps_take_any_size_and_number_format(backbone, algorithm, align_corners):
    torch.manual_seed(0)
    settings = {"backbone": backbone, "algorithm": algorithm, "align_corners": align_corners}
    model = build(**settings).eval().to(memory_format=torch.channels_last)
    for size in ((33, 65), (1, 1)):
        images = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8)
        with torch.no_grad():
            exact = model(images).main
            with torch.autocast("cpu", torch.bfloat16):
                rounded = model(images).main
        assert exact.shape == rounded.shape == (1, 5, *size)
        assert exact.dtype == rounded.dtype == torch.float32
        assert (exact - rounded).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (17, 33), (31, 64)])
@pytest.mark.parametrize("backbone", ["mobilenetv2_100", "convnext_atto", "test_vit"])
def test_any_image_size_gives_logits_of_that_size(backbone, size):
    model = build(backbone=backbone).eval()
    with torch.no_grad():
        logits = model(torch.zeros(1, 3, *size, dtype=torch.uint8)).main
    assert logits.shape == (1, 5, *size)
    assert logits.dtype == torch.float32


def test_uint8_and_float_images_give_equal_logits():
    model = build().eval()
    images = torch.randint(0, 256, (1, 3, 32, 32), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(model(images).main, model(images.float()).main)


def test_logits_are_float32_under_bfloat16_autocast():
    model = build().eval().to(memory_format=torch.channels_last)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert model(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).main.dtype == torch.float32


@pytest.mark.parametrize("backbone", ["resnet10t", "convnext_atto"])  # the second pads to multiples
@pytest.mark.parametrize("align_corners", [False, True])
def test_a_shift_is_added_to_the_logits_of_every_pixel_in_eval_mode_alone(backbone, align_corners):
    torch.manual_seed(0)
    model = build(backbone=backbone, output_stride=32, align_corners=align_corners)
    names, images = list(model.state_dict()), torch.randint(0, 256, (2, 3, 50, 61), dtype=torch.uint8)
    shift = torch.tensor([0.0, -3.0, 1.0, 0.5, 2.0])
    with torch.no_grad():
        plain = model.eval()(images).main
        model.shift = shift
        torch.testing.assert_close(model(images).main, plain + shift[:, None, None], rtol=0, atol=1e-5)
        torch.manual_seed(1)
        trained = model.train()(images)
        model.shift = None
        torch.manual_seed(1)
        assert all(torch.equal(*both) for both in zip(trained, model(images), strict=True))
    assert list(model.state_dict()) == names


def test_without_auxiliary_weight_there_is_no_auxiliary_head():
    model = build(aux_loss_weight=0)
    assert model.auxiliary is None
    assert model(torch.zeros(2, 3, 32, 32)).auxiliary is None


def test_the_normalisation_travels_with_the_weights():
    state = build(backbone="test_vit").state_dict()
    assert state["mean"].flatten().tolist() == [127.5] * 3  # timm trained this network with mean 0.5
    assert state["std"].flatten().tolist() == [127.5] * 3


def normalised(model, images):
    """What the trunk is given."""
    seen = []
    handle = model.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        model.eval()(images)
    handle.remove()
    return seen[0]


def of_bands(bands, **settings):
    values = {"algorithm": "fcn", "backbone": "test_resnet", "pretrained": False, **settings}
    return build_segmenter(Settings(**values), 2, load_weights=False, bands=bands)


@pytest.mark.parametrize(
    ("depth", "low", "high"), [("uint16", 300, 4071), ("int16", -500, 1500), ("float32", -0.25, 4)]
)
def test_deep_values_are_limited_to_their_range_scaled_and_normalised(depth, low, high):
    ranges = ((low, high), (low, low + (high - low) / 2))
    model = of_bands(Bands(depth, 2, (1, 2), ranges, False), backbone="resnet10t")
    least, most = (torch.iinfo if depth != "float32" else torch.finfo)(getattr(torch, depth)).min, high + 99
    row = [least, low, (low + high) / 2, high, most]
    images = torch.tensor([[[row] * 9] * 2] * 1).to(getattr(torch, depth))
    # resnet10t has the mean and the spread of ImageNet; bands that are no colours take the averages of the three.
    mean, std = (0.485 + 0.456 + 0.406) / 3, (0.229 + 0.224 + 0.225) / 3
    middle = float(images[0, 0, 0, 2])
    first = torch.tensor([0, 0, (middle - low) / (high - low), 1, 1])
    second = torch.tensor([0, 0, min((middle - low) / ((high - low) / 2), 1), 1, 1])
    found = normalised(model, images)
    torch.testing.assert_close(found[0, 0, 0], (first - mean) / std)
    torch.testing.assert_close(found[0, 1, 8], (second - mean) / std)


def test_colours_keep_their_own_mean_and_spread_beside_other_bands():
    limits = ((0, 1000),) * 5
    images = torch.full((1, 5, 8, 8), 250, dtype=torch.uint16)
    averages = sum((0.485, 0.456, 0.406)) / 3, sum((0.229, 0.224, 0.225)) / 3
    colours = [(0.25 - mean) / std for mean, std in ((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))]
    other = (0.25 - averages[0]) / averages[1]
    color = of_bands(Bands("uint16", 5, (1, 2, 3, 4, 5), limits, True), backbone="resnet10t")
    torch.testing.assert_close(normalised(color, images)[0, :, 0, 0], torch.tensor([*colours, other, other]))
    # In another order they are no longer red, green and blue.
    turned = of_bands(Bands("uint16", 5, (3, 2, 1, 4, 5), limits, True), backbone="resnet10t")
    torch.testing.assert_close(normalised(turned, images)[0, :, 0, 0], torch.tensor([other] * 5))


def test_bytes_are_normalised_as_photographs_are_without_a_range():
    images = torch.randint(0, 256, (1, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = (images / 255 - MEAN) / STD
    for bands in (None, PHOTOGRAPH):
        model = of_bands(bands, backbone="resnet10t")
        torch.testing.assert_close(normalised(model, images), expected)
        assert not {"lowest", "highest"} & model.state_dict().keys()


def test_the_limits_of_deep_bands_travel_with_the_weights():
    bands = Bands("uint16", 1, (1,), ((975, 1119),), False)
    state = of_bands(bands).state_dict()
    assert [state[name].item() for name in ("lowest", "highest")] == [975, 1119]


def test_the_architecture_alone_needs_no_weights_file():
    settings = Settings(backbone="resnet10t", backbone_weights="nowhere.pth")
    assert build_segmenter(settings, 2, load_weights=False).backbone.channels == (64, 64, 128, 256, 512)


def test_the_network_exports_with_the_logits_of_the_original():
    model = build(algorithm="deeplab", backbone="resnet10t", output_stride=8).eval()
    images = torch.rand(1, 3, 40, 56) * 255
    program = torch.export.export(model, (images,))
    with torch.no_grad():
        torch.testing.assert_close(program.module()(images).main, model(images).main)


def test_an_unknown_backbone_is_a_setting_at_fault():
    with pytest.raises(SettingsError, match="Unknown backbone 'resnet-51'"):
        build(backbone="resnet-51")
