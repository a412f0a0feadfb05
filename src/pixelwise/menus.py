"""What may be chosen by name: each name once, with its meaning and with what builds it.

Settings, `--help`, the documents, `describe` and the code that builds a choice all read these dictionaries. A new head,
loss, optimizer, schedule or score is written where its kind lives and gets one line here.
"""

from typing import Any, NamedTuple


class Choice(NamedTuple):
    """Something that has a name, for a setting or in scores.json."""

    meaning: str  # one line, as part of a sentence
    home: str | None = None  # module:name of what builds it, as in an entry point; None where nothing is built

    def built(self) -> Any:
        """What stands at `home`, loaded now: this module must not wait for PyTorch, nor a low room for a high one."""
        import pkgutil

        return None if self.home is None else pkgutil.resolve_name(self.home)


HEADS: dict[str, Choice] = {
    "deeplab": Choice(
        "DeepLabV3: parallel convolutions of several dilations and an image average, side by side, then merged",
        "pixelwise.models.heads.aspp:DeepLabHead",
    ),
    "deeplabv3plus": Choice(
        "DeepLabV3+: the branches of DeepLabV3, then a decoder that adds the trunk's fine feature map",
        "pixelwise.models.heads.aspp:DeepLabV3PlusHead",
    ),
    "dilated": Choice(
        "Dilated context (Yu and Koltun): a 1x1 classification, then 3x3 convolutions of rising dilation on it",
        "pixelwise.models.heads.context:DilatedHead",
    ),
    "fcn": Choice("FCN: one 3x3 convolution on the last feature map", "pixelwise.models.heads.context:FCNHead"),
    "lraspp": Choice(
        "Lite R-ASPP: the last feature map, gated by the mean of the image, beside one of stride 8; for small trunks",
        "pixelwise.models.heads.lraspp:LRASPPHead",
    ),
    "psp": Choice(
        "PSPNet: the last feature map beside its averages over 1x1, 2x2, 3x3 and 6x6 regions",
        "pixelwise.models.heads.context:PSPHead",
    ),
    "segformer": Choice(
        "SegFormer: a linear layer on each feature map of stride 4 or more, then one on all of them side by side",
        "pixelwise.models.heads.segformer:SegformerHead",
    ),
    "unet": Choice(
        "U-Net: from the last feature map back to the finest, at each step joined with the trunk's map of that size",
        "pixelwise.models.heads.unet:UnetHead",
    ),
    "upernet": Choice(
        "UPerNet: averages over regions as in PSPNet, then a feature pyramid of all maps of stride 4 or more, merged",
        "pixelwise.models.heads.upernet:UPerNetHead",
    ),
}
"""Classes; see `models.heads` for how they are called."""

LOSSES: dict[str, Choice] = {
    "cross_entropy": Choice(
        "negative log-likelihood of the labelled pixels", "pixelwise.training.losses:cross_entropy"
    ),
    "dice": Choice("1 - the mean soft Dice score of the classes in the truth", "pixelwise.training.losses:dice"),
    "focal": Choice("cross entropy that counts easy pixels less, with gamma 2", "pixelwise.training.losses:focal"),
    "lovasz": Choice("Lovász-Softmax, a convex stand-in for 1 - IoU", "pixelwise.training.losses:lovasz"),
    "ohem": Choice("cross entropy of the hard pixels alone", "pixelwise.training.losses:ohem"),
}
"""Functions; see `training.losses`."""

CLASS_WEIGHTS: dict[str, Choice] = {
    "inverse_square_root": Choice("1 / sqrt(share of the pixels)", "pixelwise.data.facts.advice:inverse_square_root"),
    "median_frequency": Choice(
        "median frequency / frequency in the images that have the class", "pixelwise.data.facts.advice:median_frequency"
    ),
    "none": Choice("all classes alike"),
}
"""Functions; see `data.facts.advice.class_weights`."""

OPTIMIZERS: dict[str, Choice] = {
    "adagrad": Choice("steps shrink with the sum of squared gradients", "pixelwise.training.optimizer:adagrad"),
    "adam": Choice("steps scaled by running moments of the gradient", "pixelwise.training.optimizer:adam"),
    "adamw": Choice("Adam whose weight decay stands apart from the gradient", "pixelwise.training.optimizer:adamw"),
    "nag": Choice("SGD with Nesterov's momentum", "pixelwise.training.optimizer:nag"),
    "rmsprop": Choice("steps scaled by a running mean of squared gradients", "pixelwise.training.optimizer:rmsprop"),
    "sgd": Choice("gradient descent with momentum", "pixelwise.training.optimizer:sgd"),
}
"""Functions; see `training.optimizer.build_optimizer`."""

SCHEDULES: dict[str, Choice] = {
    "cosine": Choice("half a cosine, down to 0", "pixelwise.training.optimizer:cosine"),
    "exponential": Choice(
        "evenly in the logarithm, by lr_scheduler_factor over the whole training",
        "pixelwise.training.optimizer:exponential",
    ),
    "poly": Choice("(1 - share of the training done)^0.9, down to 0", "pixelwise.training.optimizer:poly"),
    "step": Choice(
        "times lr_scheduler_factor after each epoch in lr_scheduler_step", "pixelwise.training.optimizer:step"
    ),
}
"""Functions; see `training.optimizer.learning_rate_factor`."""

PRECISIONS: dict[str, Choice] = {
    "bfloat16": Choice("half the memory; fast where the machine has units for it", "torch:bfloat16"),
    "float32": Choice("on every machine", "torch:float32"),
}
"""Types of numbers; see `runtime.choose_precision`."""

FREEZES: dict[str, Choice] = {
    "backbone": Choice("the trunk keeps the weights it starts from, its normalisation included"),
    "none": Choice("every weight learns"),
}
"""What keeps its weights in training; see `training.freezing`."""

PLANS: dict[str, Choice] = {
    "auto": Choice("what nobody gave is found from the data and the machine; see `pixelwise plan`"),
    "fixed": Choice("what nobody gave has the plain default of the settings"),
}
"""Where settings that nobody gave come from; see `planning`."""

VALUE_RANGES: dict[str, Choice] = {
    "data": Choice(
        "0 to 255 for images of 8 bits; else from the 0.5th to the 99.5th percentile of the training images"
    ),
    "file": Choice("what the files themselves say: bits in PNG and DICOM, smallest and largest value in TIFF"),
}
"""Ways to find the values of a band that are 0 and 1 to the network; see `data.bands`."""

TALLIES: dict[str, Choice] = {
    "boundary": Choice(
        "how well outlines agree, and errors near them", "pixelwise.scoring.insight.boundary:BoundaryTally"
    ),
    "objects": Choice(
        "how much of the objects is found, by their size", "pixelwise.scoring.insight.object_size:ObjectRecall"
    ),
    "calibration": Choice(
        "whether the probabilities are true", "pixelwise.scoring.insight.calibration:CalibrationTally"
    ),
    "average_precision": Choice(
        "how well the probability of a class ranks the pixels", "pixelwise.scoring.insight.ranking:PrecisionRecallTally"
    ),
    "difference": Choice(
        "how far class ids are from the true ones", "pixelwise.scoring.insight.id_difference:DifferenceTally"
    ),
}
"""Classes; what is scored beside the confusion matrix, by its name in scores.json. See `insight.tally.ScoreTally`."""
