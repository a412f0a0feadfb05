"""A trunk that keeps the weights it starts from, and its normalisation, while the head learns."""

from pixelwise.errors import SettingsError
from pixelwise.models.backbones import Backbone
from pixelwise.models.segmenter import Segmenter
from pixelwise.settings import Settings


class FrozenBackbone(Backbone):
    """A backbone whose trunk stays in eval mode: BatchNorm keeps its statistics, dropout and drop-path are off."""

    def train(self, mode: bool = True) -> "FrozenBackbone":
        """Set the mode of all but the trunk."""
        super().train(mode)
        self.trunk.eval()
        return self


def freeze_backbone(model: Segmenter) -> None:
    """Let nothing in the trunk of `model` change, in place; names and weights stay.

    As nothing below the trunk learns either, autograd records none of its operations, as under no_grad: a step keeps
    none of its activations.
    """
    backbone = model.backbone
    backbone.__class__ = FrozenBackbone  # the same parts and state-dict keys
    backbone.trunk.requires_grad_(False)
    backbone.train(model.training)


def require_weights_to_freeze(settings: Settings, *, has_model: bool) -> None:
    """Refuse to freeze random weights; `has_model` is whether training starts from a trained model.

    Raises:
        SettingsError: the trunk would keep what nobody trained.
    """
    has_weights = settings.pretrained or settings.backbone_weights is not None or has_model
    if settings.freeze == "backbone" and not has_weights:
        raise SettingsError(
            "freeze is 'backbone' but the trunk starts from random weights, which it would keep. Leave out "
            "--no-pretrained, give --backbone-weights FILE or --start-from MODEL, or set freeze to 'none'."
        )
