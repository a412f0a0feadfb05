"""Whose file it is: the published segmentation networks that are known, and what their tensors are called here.

Names are those of the files of torchvision 0.23 and of Hugging Face transformers 4 and 5, which write the same.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from pixelwise.models.backbones import IMAGENET_MEAN, IMAGENET_STD

TRUNK, HEAD, AUXILIARY = PARTS = ("trunk", "head", "auxiliary head")

Rules = tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...]
"""Patterns and what takes their place, one after the other. Three tensors `qkv[0]`, `qkv[1]`, `qkv[2]` become one."""


class Layout(NamedTuple):
    """A kind of published network."""

    name: str
    marks: tuple[str, ...]
    """Tensors that together only it has."""
    parts: Mapping[str, str]
    """What the names of each part begin with."""
    rules: Mapping[str, Rules] = {}
    """How names of a part become timm's or ours."""
    trunks: tuple[str, ...] = ()
    """Backbones that it is built on."""
    settings: Mapping[str, Any] = {}
    """Of the network here that it is, or comes nearest to."""
    mean: tuple[float, ...] = IMAGENET_MEAN
    """What it subtracts from red, green and blue in 0..1; then it divides by `std`."""
    std: tuple[float, ...] = IMAGENET_STD
    lacks: tuple[str, ...] = ()
    """What the names of timm's tensors begin with that its trunk is without: they start anew."""
    is_bgr: bool = False
    """Whether its first convolution takes blue, green and red."""

    def renamed(self, part: str, names: Iterable[str]) -> dict[str, str]:
        """The names of a part's tensors in the file, and what they are called here, without the part's own name."""
        prefix, rules = self.parts.get(part, ""), self.rules.get(part, ())
        return {
            name: _by_rules(name.removeprefix(prefix), rules) for name in names if prefix and name.startswith(prefix)
        }


def layout_of(names: Iterable[str]) -> Layout | None:
    """Whose tensors these are, None if nobody's that is known."""
    known = set(names)
    return next((layout for layout in LAYOUTS if known.issuperset(layout.marks)), None)


def _by_rules(name: str, rules: Rules) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


_TORCHVISION: dict[str, Any] = {
    "parts": {TRUNK: "backbone.", HEAD: "classifier.", AUXILIARY: "aux_classifier."},
    "trunks": ("resnet50", "resnet101", "mobilenetv3_large_100"),
}
_FCN: Rules = ((r"^0\.", "reduce.0."), (r"^1\.", "reduce.1."), (r"^4\.", "classify."))
_DEEPLAB: Rules = (
    (r"^0\.convs\.4\.1\.", "aspp.image_pooling.1.0."),
    (r"^0\.convs\.4\.2\.", "aspp.image_pooling.1.1."),
    (r"^0\.convs\.", "aspp.branches."),
    (r"^0\.project\.", "aspp.project."),
    (r"^1\.", "fuse.0."),
    (r"^2\.", "fuse.1."),
    (r"^4\.", "classify."),
)

_UPERNET_PARTS = {TRUNK: "backbone.", HEAD: "decode_head.", AUXILIARY: "auxiliary_head."}
_UPERNET_MARK = "decode_head.psp_modules.0.1.conv.weight"
_CONVNEXT: Rules = (
    (r"^embeddings\.patch_embeddings\.", "stem.0."),
    (r"^embeddings\.layernorm\.", "stem.1."),
    (r"^encoder\.stages\.", "stages."),
    (r"\.downsampling_layer\.", ".downsample."),
    (r"\.layers\.", ".blocks."),
    (r"\.layer_scale_parameter$", ".gamma"),
    (r"\.dwconv\.", ".conv_dw."),
    (r"\.layernorm\.", ".norm."),
    (r"\.pwconv(\d)\.", r".mlp.fc\1."),
)
_ATTENTION: Rules = (
    (r"\.query\.", ".qkv[0]."),
    (r"\.key\.", ".qkv[1]."),
    (r"\.value\.", ".qkv[2]."),
    (r"\.attention\.(self|attention)\.", ".attn."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
)
_SWIN: Rules = (
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^embeddings\.norm\.", "patch_embed.norm."),
    # A stage of timm's begins with the merging of patches that ends the stage before it here.
    (r"^encoder\.layers\.(\d+)\.downsample\.", lambda match: f"layers.{int(match[1]) + 1}.downsample."),
    (r"^encoder\.layers\.", "layers."),
    *_ATTENTION,
)

# Blocks of MobileNetV2 after the first, by the stages of its table 2 (arXiv 1801.04381).
_MOBILENET_BLOCKS = [(stage, i) for stage, blocks in enumerate((2, 3, 4, 3, 3, 1), start=1) for i in range(blocks)]


def _mobilenet_block(match: re.Match[str]) -> str:
    index = int(match[1])
    return "blocks.{}.{}.".format(*_MOBILENET_BLOCKS[index]) if index < len(_MOBILENET_BLOCKS) else match[0]


_MOBILENETV2: Rules = (
    (r"^conv_stem\.first_conv\.convolution\.", "conv_stem."),
    (r"^conv_stem\.first_conv\.normalization\.", "bn1."),
    (r"^conv_stem\.conv_3x3\.convolution\.", "blocks.0.0.conv_dw."),
    (r"^conv_stem\.conv_3x3\.normalization\.", "blocks.0.0.bn1."),
    (r"^conv_stem\.reduce_1x1\.convolution\.", "blocks.0.0.conv_pw."),
    (r"^conv_stem\.reduce_1x1\.normalization\.", "blocks.0.0.bn2."),
    (r"^layer\.(\d+)\.", _mobilenet_block),
    (r"\.expand_1x1\.convolution\.", ".conv_pw."),
    (r"\.expand_1x1\.normalization\.", ".bn1."),
    (r"\.conv_3x3\.convolution\.", ".conv_dw."),
    (r"\.conv_3x3\.normalization\.", ".bn2."),
    (r"\.reduce_1x1\.convolution\.", ".conv_pwl."),
    (r"\.reduce_1x1\.normalization\.", ".bn3."),
)
_MOBILEVIT: Rules = (
    (r"^conv_stem\.", "stem."),
    (r"^encoder\.layer\.(\d)\.layer\.", r"stages.\1."),
    (r"^encoder\.layer\.(\d)\.downsampling_layer\.", r"stages.\1.0."),
    (r"^encoder\.layer\.(\d)\.", r"stages.\1.1."),
    (r"\.transformer\.layer\.", ".transformer."),
    *_ATTENTION,
    (r"\.expand_1x1\.", ".conv1_1x1."),
    (r"\.conv_3x3\.", ".conv2_kxk."),
    (r"\.reduce_1x1\.", ".conv3_1x1."),
    (r"\.conv_1x1\.convolution\.", ".conv_1x1."),
    (r"\.conv_projection\.", ".conv_proj."),
    (r"\.fusion\.", ".conv_fusion."),
    (r"\.layernorm\.", ".norm."),
    (r"\.convolution\.", ".conv."),
    (r"\.normalization\.", ".bn."),
)

LAYOUTS = (
    Layout(
        "torchvision's DeepLabV3",
        ("backbone.bn1.weight", "classifier.0.convs.0.0.weight"),
        rules={HEAD: _DEEPLAB, AUXILIARY: _FCN},
        settings={"algorithm": "deeplab", "output_stride": 8},
        **_TORCHVISION,
    ),
    Layout(
        "torchvision's DeepLabV3",
        ("backbone.0.0.weight", "classifier.0.convs.0.0.weight"),
        rules={HEAD: _DEEPLAB, AUXILIARY: _FCN},
        settings={"algorithm": "deeplab", "output_stride": 16},
        **_TORCHVISION,
    ),
    Layout(
        "torchvision's FCN",
        ("backbone.bn1.weight", "classifier.4.weight"),
        rules={HEAD: _FCN, AUXILIARY: _FCN},
        settings={"algorithm": "fcn", "output_stride": 8},
        **_TORCHVISION,
    ),
    Layout(
        "torchvision's LRASPP",
        ("backbone.0.0.weight", "classifier.cbr.0.weight"),
        settings={"algorithm": "lraspp", "output_stride": 16},
        **_TORCHVISION,
    ),
    Layout(
        "UPerNet with a ConvNeXt, of transformers",
        (_UPERNET_MARK, "backbone.encoder.stages.0.layers.0.dwconv.weight"),
        _UPERNET_PARTS,
        {TRUNK: _CONVNEXT},
        ("convnext_tiny", "convnext_small", "convnext_base", "convnext_large", "convnext_xlarge"),
        {"output_stride": 32},
    ),
    Layout(
        "UPerNet with a Swin Transformer, of transformers",
        (_UPERNET_MARK, "backbone.encoder.layers.0.blocks.0.attention.self.query.weight"),
        _UPERNET_PARTS,
        {TRUNK: _SWIN},
        (
            "swin_tiny_patch4_window7_224",
            "swin_small_patch4_window7_224",
            "swin_base_patch4_window7_224",
            "swin_base_patch4_window12_384",
            "swin_large_patch4_window12_384",
        ),
        {"output_stride": 32},
    ),
    Layout("UPerNet of transformers", (_UPERNET_MARK,), _UPERNET_PARTS),
    Layout(
        "SegFormer of transformers",
        ("segformer.encoder.block.0.0.attention.self.query.weight",),
        {TRUNK: "segformer.encoder.", HEAD: "decode_head."},
    ),
    Layout(
        "DeepLabV3 with a MobileNetV2, of transformers",
        ("mobilenet_v2.conv_stem.first_conv.convolution.weight",),
        {TRUNK: "mobilenet_v2.", HEAD: "segmentation_head."},
        {TRUNK: _MOBILENETV2},
        ("mobilenetv2_100", "mobilenetv2_140", "mobilenetv2_050", "mobilenetv2_035"),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
    ),
    Layout(
        "DeepLabV3 with a MobileViT, of transformers",
        ("mobilevit.conv_stem.convolution.weight",),
        {TRUNK: "mobilevit.", HEAD: "segmentation_head."},
        {TRUNK: _MOBILEVIT},
        ("mobilevit_s", "mobilevit_xs", "mobilevit_xxs"),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        lacks=("final_conv.",),
        is_bgr=True,
    ),
)
"""Known networks; the first whose marks are all there is meant."""
