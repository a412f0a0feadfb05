"""Heads: what turns the feature maps of a trunk into class logits; `menus.HEADS` lists them.

Every head is built as `Head(channels, num_classes, strides=strides)` with the channels and strides of the trunk's
feature maps, finest first, and called as `head(maps)` with these maps, a tuple of (N, C, h, w). It takes of them what
it wants and returns logits (N, K, h, w) at the size of one of them. A head that does not want them all says so by a
static method `taps` (see `heads.taps`), so that no map is made for nothing. Heads that enlarge maps do it from corner
to corner where `align_corners` is given. The layer that turns channels into classes is called `classify`, so that
`describe` can point at it.

In training every BatchNorm needs more than one value per channel. The image pooling of `psp`, `deeplab`,
`deeplabv3plus` and `upernet` leaves one value per image, so these heads raise ValueError on a batch of one image.
"""

from pixelwise.models.heads.aspp import ASPP, DeepLabHead, DeepLabV3PlusHead, atrous_rates
from pixelwise.models.heads.context import DilatedHead, FCNHead, PSPHead
from pixelwise.models.heads.lraspp import LRASPPHead
from pixelwise.models.heads.segformer import SegformerHead
from pixelwise.models.heads.unet import UnetHead
from pixelwise.models.heads.upernet import UPerNetHead

__all__ = [
    "ASPP",
    "DeepLabHead",
    "DeepLabV3PlusHead",
    "DilatedHead",
    "FCNHead",
    "LRASPPHead",
    "PSPHead",
    "SegformerHead",
    "UPerNetHead",
    "UnetHead",
    "atrous_rates",
]
