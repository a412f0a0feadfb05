"""Weights files are read safely, matched completely or refused with a reason."""

import socket
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
import torchvision
from timm.models import adapt_input_conv

from pixelwise.errors import ModelError
from pixelwise.models.backbones import build_backbone
from tests.conftest import REAL_DATA

WEIGHTS = REAL_DATA / "weights"


@pytest.fixture(scope="module")
def mobilenet():
    """A MobileNetV2 of torchvision with random weights and random BatchNorm averages."""
    torch.manual_seed(0)
    network = torchvision.models.mobilenet_v2(weights=None).eval()
    for name, buffer in network.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return network


def last_map(name, path, images):
    with torch.no_grad():
        return build_backbone(name, weights=path).eval()(images)[-1]


def test_torchvision_naming_of_mobilenet_is_matched_by_order(mobilenet, tmp_path):
    torch.save(mobilenet.state_dict(), tmp_path / "mobilenet.pth")
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = mobilenet.features[:-1](images)  # all but the 1x1 convolution before the classifier
    ours = last_map("mobilenetv2_100", tmp_path / "mobilenet.pth", images)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("wrap", ["", "module.", "model.", "backbone."])
@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_wrapped_state_dicts_of_timm_are_unwrapped(tmp_path, wrap, key):
    network = timm.create_model("resnet10t").eval()
    state = {wrap + name: tensor for name, tensor in network.state_dict().items()}
    torch.save({key: state, "epoch": 3} if key else state, tmp_path / "weights.pt")
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = network.forward_features(images)
    torch.testing.assert_close(last_map("resnet10t", tmp_path / "weights.pt", images), expected)


@pytest.mark.parametrize("name", ["convnext_atto", "vit_tiny_patch16_224"])
def test_safetensors_of_timm_fit_trunks_that_rename_their_parts(tmp_path, name):
    network = timm.create_model(name)
    safetensors.torch.save_file(network.state_dict(), tmp_path / "weights.safetensors")
    trunk = build_backbone(name, weights=tmp_path / "weights.safetensors").trunk
    ours = [tensor.double().sum() for tensor in trunk.state_dict().values()]
    theirs = [tensor.double().sum() for tensor in network.state_dict().values()]
    torch.testing.assert_close(ours, theirs[: len(ours)])


@pytest.mark.parametrize("bands", [1, 2, 3, 5, 16])
@pytest.mark.parametrize("name", ["test_resnet", "convnext_atto", "vit_tiny_patch16_224", "resnet50s"])
def test_weights_for_colours_are_spread_over_other_bands_as_timm_spreads_them(tmp_path, name, bands):
    torch.save(timm.create_model(name).state_dict(), tmp_path / "weights.pt")
    source = {"file": str(tmp_path / "weights.pt"), "custom_load": False}  # no archive of NumPy, as ViT had once
    peer = timm.create_model(name, pretrained=True, in_chans=bands, pretrained_cfg_overlay=source).state_dict()
    trunk = build_backbone(name, weights=tmp_path / "weights.pt", in_channels=bands).trunk
    expected = {plain(key): tensor for key, tensor in peer.items()}
    assert all(torch.equal(tensor, expected[plain(key)]) for key, tensor in trunk.state_dict().items())


def plain(name):
    """As the whole network and its feature-map form both spell it."""
    return name.removeprefix("model.").replace("_", ".")


@pytest.mark.parametrize(("bands", "order"), [(1, None), (2, [0, 1]), (5, [0, 1, 2, 0, 1])])
def test_weights_that_are_matched_by_order_are_spread_over_other_bands_too(mobilenet, tmp_path, bands, order):
    torch.save(mobilenet.state_dict(), tmp_path / "mobilenet.pth")
    trunk = build_backbone("mobilenetv2_100", weights=tmp_path / "mobilenet.pth", in_channels=bands).trunk
    colours = mobilenet.features[0][0].weight
    # One band is red, green and blue alike; more take their turns, and a gray picture gives what it gave.
    expected = colours.sum(dim=1, keepdim=True) if order is None else colours[:, order] * (3 / bands)
    torch.testing.assert_close(trunk.conv_stem.weight, expected)
    torch.testing.assert_close(trunk.conv_stem.weight, adapt_input_conv(bands, colours.detach()))


def test_weights_of_other_bands_do_not_fit_and_the_error_says_how_many_they_have(tmp_path):
    torch.save(timm.create_model("test_resnet", in_chans=4).state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"is \d+x4x3x3, backbone 'test_resnet' needs \d+x5x3x3"):
        build_backbone("test_resnet", weights=tmp_path / "weights.pt", in_channels=5)


@pytest.mark.parametrize("backbone", ["resnet18", "convnext_atto"])
def test_weights_of_another_network_are_refused(mobilenet, tmp_path, backbone):
    torch.save(mobilenet.state_dict(), tmp_path / "mobilenet.pth")
    with pytest.raises(ModelError, match=f"does not hold the weights of backbone '{backbone}'"):
        build_backbone(backbone, weights=tmp_path / "mobilenet.pth")


def test_a_mobilenet_of_another_width_is_refused_with_the_tensor_that_disagrees(mobilenet, tmp_path):
    torch.save(mobilenet.state_dict(), tmp_path / "mobilenet.pth")
    with pytest.raises(
        ModelError, match=r"tensor 'features.0.0.weight' is 32x3x3x3, expected 'conv_stem.weight', 48x3x3x3"
    ):
        build_backbone("mobilenetv2_140", weights=tmp_path / "mobilenet.pth")


def test_a_plain_resnet_does_not_fit_the_deep_stem_and_the_error_names_both(tmp_path):
    torch.save(torchvision.models.resnet50(weights=None).state_dict(), tmp_path / "resnet50.pth")
    with pytest.raises(ModelError, match=r"'conv1.0.weight' is missing.*64x3x3x3.*fits backbone 'resnet50'"):
        build_backbone("resnet-50", weights=tmp_path / "resnet50.pth")


def test_a_missing_trunk_tensor_is_an_error_and_not_dropped(tmp_path):
    state = timm.create_model("resnet10t").state_dict()
    del state["layer4.0.bn2.weight"]
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(ModelError, match=r"weights.pt: tensor 'layer4.0.bn2.weight' is missing"):
        build_backbone("resnet10t", weights=tmp_path / "weights.pt")


class Intruder:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_pickled_objects_are_refused_and_never_executed(tmp_path):
    torch.save({"conv1.weight": Intruder(tmp_path / "executed")}, tmp_path / "evil.pth")
    with pytest.raises(ModelError, match=r"evil.pth: cannot be read as weights"):
        build_backbone("resnet18", weights=tmp_path / "evil.pth")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_truncated_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    state = {"conv1.weight": torch.zeros(64, 3, 7, 7)}
    safetensors.torch.save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match=f"weights{suffix}: cannot be read as weights"):
        build_backbone("resnet18", weights=path)


@pytest.mark.parametrize("content", [torch.zeros(3), {"epoch": 3}, [1, 2], {}])
def test_files_without_a_state_dict_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match="expected a state dict"):
        build_backbone("resnet18", weights=tmp_path / "weights.pth")


def test_a_file_with_a_tensor_too_few_for_matching_by_order_is_refused(mobilenet, tmp_path):
    state = {name: tensor for name, tensor in mobilenet.state_dict().items() if name[:11] != "features.18"}
    torch.save(state, tmp_path / "mobilenet.pth")
    with pytest.raises(ModelError, match=r"mobilenet.pth: .*backbone 'mobilenetv2_100'"):
        build_backbone("mobilenetv2_100", weights=tmp_path / "mobilenet.pth")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"nowhere.pth: no such file"):
        build_backbone("resnet18", weights=tmp_path / "nowhere.pth")


def test_without_a_network_the_error_names_both_remedies(monkeypatch, tmp_path):
    def no_address(*arguments):
        raise socket.gaierror("Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *arguments: None)
    with pytest.raises(ModelError, match=r"resnet18.*--backbone-weights FILE.*--no-pretrained"):
        build_backbone("resnet18", pretrained=True)


def test_a_backbone_without_published_weights_says_so():
    with pytest.raises(ModelError, match="timm has no pretrained weights for backbone 'cspresnet50d'"):
        build_backbone("cspresnet50d", pretrained=True)


def test_both_namings_of_the_real_mobilenet_give_equal_features():
    files = sorted(WEIGHTS.glob("mobilenet*"))
    if len(files) < 2:
        pytest.skip("the shared weights are not here")
    images = torch.rand(1, 3, 96, 128)
    first, second = (last_map("mobilenetv2_100", path, images) for path in files)
    assert torch.equal(first, second)
