"""Published weights of transformers: its names become timm's, and the trunk computes what theirs does.

`transformers_names.json` has the names and shapes that transformers 5.24 writes for small networks.
"""

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from pixelwise.errors import ModelError
from pixelwise.models.published.weights import read_published
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings

NAMES = json.loads((Path(__file__).parent / "transformers_names.json").read_text(encoding="utf-8"))

# The trunk, its number of tensors in timm, one of its tensors, and the tensors of the file that it must be.
TRUNKS = {
    "convnext": ("test_convnext", 97, "stages_2.blocks.3.gamma", ["encoder.stages.2.layers.3.layer_scale_parameter"]),
    "swin": (
        "swin_tiny_patch4_window7_224",
        169,
        "layers_2.blocks.5.attn.qkv.weight",
        [f"encoder.layers.2.blocks.5.attention.self.{part}.weight" for part in ("query", "key", "value")],
    ),
    "mobilenetv2": (
        "mobilenetv2_035",
        255,
        "blocks.3.1.bn3.running_var",
        ["layer.6.reduce_1x1.normalization.running_var"],
    ),
    "mobilevit": (
        "mobilevit_xxs",
        272,  # of 277: transformers' segmentation is without the last convolution
        "stages_4.1.transformer.2.attn.qkv.bias",
        [f"encoder.layer.4.transformer.layer.2.attention.attention.{part}.bias" for part in ("query", "key", "value")],
    ),
}


def folder_of(kind, folder):
    """A folder as Hugging Face's hub has it, with random weights."""
    torch.manual_seed(0)
    tensors = {name: torch.rand(shape) + 0.5 for name, shape in NAMES[kind].items()}
    (folder / "config.json").write_text("{}")
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    return tensors


def filled(path, backbone):
    weights = read_published(path)
    settings = Settings(algorithm="fcn", backbone=backbone, num_classes=3, output_stride=32, pretrained=False)
    model = build_segmenter(settings, 3, load_weights=False)
    return model, weights.fill(model, settings)


@pytest.mark.parametrize("kind", TRUNKS)
def test_every_tensor_of_the_trunk_is_taken_and_the_rest_is_named(tmp_path, kind):
    tensors = folder_of(kind, tmp_path)
    backbone, count, own, sources = TRUNKS[kind]
    model, said = filled(tmp_path, backbone)
    assert f"trunk {count} of {277 if kind == 'mobilevit' else count}" in said
    assert "head 0 of 7: the file has no such head); not taken from the file:" in said
    prefix = next(iter(tensors)).partition(".")[0] if kind.startswith("mobile") else "backbone"
    prefix = {"mobilenetv2": "mobilenet_v2", "mobilevit": "mobilevit"}.get(kind, prefix)
    expected = torch.cat([tensors[f"{prefix}.{source}"] for source in sources])
    assert torch.equal(model.backbone.trunk.state_dict()[own], expected)


def test_a_stage_of_swin_begins_with_the_merging_that_ends_the_one_before(tmp_path):
    tensors = folder_of("swin", tmp_path)
    model, _ = filled(tmp_path, TRUNKS["swin"][0])
    expected = tensors["backbone.encoder.layers.0.downsample.reduction.weight"]
    assert torch.equal(model.backbone.trunk.state_dict()["layers_1.downsample.reduction.weight"], expected)
    assert read_published(tmp_path).network == {"output_stride": 32, "backbone": "swin_tiny_patch4_window7_224"}


@pytest.mark.parametrize(("kind", "mean", "std"), [("mobilevit", 0.0, 255.0), ("mobilenetv2", 127.5, 127.5)])
def test_images_are_normalised_as_the_published_network_has_it(tmp_path, kind, mean, std):
    folder_of(kind, tmp_path)
    model, _ = filled(tmp_path, TRUNKS[kind][0])
    torch.testing.assert_close(model.mean, torch.full((1, 3, 1, 1), mean), rtol=0, atol=1e-4)
    torch.testing.assert_close(model.std, torch.full((1, 3, 1, 1), std), rtol=0, atol=1e-4)


def test_the_first_convolution_of_mobilevit_takes_red_first_here_and_blue_first_there(tmp_path):
    tensors = folder_of("mobilevit", tmp_path)
    model, _ = filled(tmp_path, "mobilevit_xxs")
    theirs = tensors["mobilevit.conv_stem.convolution.weight"]
    assert torch.equal(model.backbone.trunk.state_dict()["stem.conv.weight"][:, 0], theirs[:, 2])


def test_a_trunk_that_timm_lacks_is_refused_by_its_name(tmp_path):
    folder_of("segformer", tmp_path)
    with pytest.raises(ModelError, match=r"looks like SegFormer of transformers.*timm has no such trunk"):
        filled(tmp_path, "pvt_v2_b0")


def peers():
    """Trunks of transformers with random weights: what to run, and the network to save."""
    hf = pytest.importorskip("transformers")
    stages = [f"stage{i}" for i in (1, 2, 3, 4)]
    small = hf.ConvNextConfig(
        depths=[1, 2, 4, 2], hidden_sizes=[24, 32, 48, 64], out_features=stages, hidden_act="gelu_pytorch_tanh"
    )
    yield (
        "convnext",
        hf.UperNetForSemanticSegmentation(
            hf.UperNetConfig(backbone_config=small, hidden_size=16, auxiliary_in_channels=48)
        ),
    )
    yield (
        "swin",
        hf.UperNetForSemanticSegmentation(
            hf.UperNetConfig(backbone_config=hf.SwinConfig(out_features=stages), hidden_size=16)
        ),
    )
    sizes = {"hidden_sizes": [64, 80, 96], "neck_hidden_sizes": [16, 16, 24, 48, 64, 80, 320], "expand_ratio": 2.0}
    yield "mobilevit", hf.MobileViTForSemanticSegmentation(hf.MobileViTConfig(**sizes, output_stride=32))


@pytest.mark.filterwarnings("ignore")
def test_features_are_those_of_transformers(tmp_path):
    images = torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    for kind, network in peers():
        for parameter in network.parameters():
            parameter.data += 0.02 * torch.randn_like(parameter)  # layer scales start near zero
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the average of what it sees: of this one batch
        network.train()(torch.randn(2, 3, 224, 224))
        network.eval().save_pretrained(tmp_path / kind)
        model, _ = filled(tmp_path / kind, TRUNKS[kind][0])
        with torch.no_grad():
            normal = (images - model.mean) / model.std
            inside = network.mobilevit if kind == "mobilevit" else network.backbone
            seen = normal.flip(1) if kind == "mobilevit" else normal
            states = inside(seen, output_hidden_states=True).hidden_states
            ours = model.eval().backbone(normal)
        # In the last stage transformers shifts Swin's windows and timm, where one is the whole map, does not; the last
        # map of MobileViT comes from a convolution that transformers leaves out.
        last = -1 if kind == "convnext" else -2
        expected = _maps(states[last])
        torch.testing.assert_close(ours[last], expected, rtol=1e-3, atol=1e-3 * expected.std().item())


def _maps(features):
    """(N, h*w, C) as (N, C, h, w); maps as they are."""
    side = round(features.shape[1] ** 0.5)
    return features if features.dim() == 4 else features.transpose(1, 2).unflatten(2, (side, side))
