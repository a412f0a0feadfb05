"""Published weights of torchvision: after the transfer our network computes what torchvision's does."""

import pytest
import safetensors.torch
import torch
from torchvision.models import segmentation

from pixelwise.errors import ModelError
from pixelwise.models.published.weights import is_published, read_published
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings

MEAN, STD = (torch.tensor(each).view(1, 3, 1, 1) for each in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
CLASSES = 5


def published(name, *, auxiliary=False):
    """A network of torchvision with random weights, and BatchNorm averages that keep its activations alive."""
    torch.manual_seed(0)
    network = getattr(segmentation, name)(
        weights=None, weights_backbone=None, num_classes=CLASSES, **({"aux_loss": auxiliary} if auxiliary else {})
    )
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None  # the average of what it sees: of this one batch
    with torch.no_grad():
        network(torch.randn(2, 3, 64, 64))
    return network.eval()


def filled(weights, **changes):
    """Our network of the file's settings, filled from it, and what was said."""
    settings = Settings(**{"num_classes": CLASSES, "pretrained": False, **weights.network, **changes})
    torch.manual_seed(7)
    model = build_segmenter(settings, settings.num_classes, load_weights=False)
    return model, weights.fill(model, settings)


def assert_alike(ours, theirs):
    """To 1e-4 of the spread of the logits of a class within an image."""
    spread = theirs.std(dim=(2, 3)).min().item()
    assert spread > 0.1  # else the comparison would say nothing
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4 * spread)


@pytest.fixture(scope="module", params=["fcn_resnet50", "deeplabv3_resnet50"])
def peer(request, tmp_path_factory):
    network = published(request.param, auxiliary=True)
    path = tmp_path_factory.mktemp(request.param) / "weights.pth"
    torch.save(network.state_dict(), path)
    return network, path


def test_logits_are_those_of_torchvision_the_auxiliary_ones_too(peer):
    network, path = peer
    images = torch.randint(0, 256, (2, 3, 67, 81), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    model, said = filled(read_published(path), aux_loss_weight=0.4)
    with torch.no_grad():
        expected = network((images / 255 - MEAN) / STD)
        model.eval()
        assert_alike(model(images).main, expected["out"])
        model.training = True  # of the network alone: its parts run as in prediction, and the auxiliary head runs too
        assert_alike(model(images).auxiliary, expected["aux"])
    assert "trunk 265 of 265;" in said  # 53 convolutions, and 53 BatchNorms of four tensors each
    assert "not taken" not in said


def test_with_other_classes_the_classifier_alone_starts_anew(peer):
    network, path = peer
    model, said = filled(read_published(path), num_classes=3)
    torch.testing.assert_close(model.backbone.trunk.conv1.weight, network.backbone.conv1.weight)
    torch.testing.assert_close(model.head.classify.bias, torch.zeros(3))
    assert "the classifier starts anew, as 3 classes take the place of 5" in said
    # The auxiliary head of the file has no place in this network, and that is said: 7 tensors and the classifier's two.
    assert "not taken from the file: classifier.4.weight, classifier.4.bias, aux_classifier" in said


def test_the_network_is_told_from_the_file(peer):
    name, (_, path) = type(peer[0].classifier).__name__, peer
    algorithm = {"FCNHead": "fcn", "DeepLabHead": "deeplab"}[name]
    assert read_published(path).network == {"algorithm": algorithm, "backbone": "resnet50", "output_stride": 8}


def test_under_another_head_the_trunk_is_taken(peer):
    _, path = peer
    _, said = filled(read_published(path), algorithm="psp")
    assert "trunk 265 of 265; head 0 of 27: the file has no such head" in said


def test_another_trunk_is_refused_with_the_flags_that_fit(peer):
    _, path = peer
    fits = "Give --algorithm (fcn|deeplab) --output-stride 8 --backbone resnet50"
    with pytest.raises(ModelError, match=rf"looks like torchvision's .* on resnet50.*'layer1.0.*missing|.*{fits}"):
        filled(read_published(path), backbone="resnet18")
    with pytest.raises(ModelError, match=fits):
        filled(read_published(path), backbone="resnet101")


def test_a_deeper_trunk_is_not_taken_for_the_one_that_it_contains(tmp_path):
    torch.save(published("fcn_resnet101").state_dict(), tmp_path / "weights.pth")
    weights = read_published(tmp_path / "weights.pth")
    assert weights.network["backbone"] == "resnet101"
    with pytest.raises(
        ModelError, match=r"not of backbone 'resnet50': it has 'backbone.layer3.6.conv1.weight' besides"
    ):
        filled(weights, backbone="resnet50")


def test_names_of_ddp_and_the_order_of_safetensors_do_not_matter(tmp_path):
    state = published("fcn_resnet50").state_dict()
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    safetensors.torch.save_file(wrapped, tmp_path / "weights.safetensors")
    _, said = filled(read_published(tmp_path / "weights.safetensors"))
    assert "not taken" not in said


@pytest.mark.parametrize("name", ["deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"])
def test_mobilenets_are_matched_by_order(tmp_path, name):
    network = published(name)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    weights = read_published(tmp_path / "weights.pth")
    assert weights.network["backbone"] == "mobilenetv3_large_100"
    model, said = filled(weights)
    assert "trunk 262 of 262" in said
    ours, theirs = model.backbone.trunk.state_dict(), network.backbone.state_dict()
    torch.testing.assert_close(ours["conv_stem.weight"], theirs["0.0.weight"])
    torch.testing.assert_close(ours["blocks.6.0.bn1.running_var"], theirs["16.1.running_var"])
    if "deeplab" in name:
        torch.testing.assert_close(model.head.classify.weight, network.classifier[4].weight)


def test_other_bands_get_the_colours_as_timm_spreads_them(tmp_path):
    state = published("fcn_resnet50").state_dict()
    torch.save(state, tmp_path / "weights.pth")
    weights = read_published(tmp_path / "weights.pth")
    settings = Settings(num_classes=CLASSES, pretrained=False, **weights.network)
    from pixelwise.models.segmenter import ByteBands

    model = build_segmenter(settings, CLASSES, load_weights=False, bands=ByteBands(1))
    weights.fill(model, settings)
    expected = state["backbone.conv1.weight"].sum(dim=1, keepdim=True)
    torch.testing.assert_close(model.backbone.trunk.conv1.weight.detach(), expected)


def test_weights_of_nobody_are_refused_with_what_to_give(tmp_path):
    torch.save({"layer.weight": torch.zeros(3)}, tmp_path / "weights.pth")
    with pytest.raises(ModelError, match=r"weights.pth: does not look like a published.*Give --backbone with the timm"):
        filled(read_published(tmp_path / "weights.pth"), backbone="resnet18")


def test_files_of_weights_are_told_from_bundles(tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text("{}")
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "model.json").write_text("{}")
    found = [is_published(tmp_path / name) for name in ("a.pth", "a.safetensors", "model.tar.gz", "hf", "bundle")]
    assert found == [True, True, False, True, False]
    with pytest.raises(ModelError, match=r"holds config.json but neither model.safetensors nor"):
        read_published(tmp_path / "hf")
    with pytest.raises(ModelError, match=r"nowhere.pth: no such file for start_from"):
        read_published(tmp_path / "nowhere.pth")
