"""What sgd does in the real engine: how far GluonCV's FCN on MXNet moves in two steps, and a layer on two devices.

The batches and the job are pure NumPy and used by the tests too. Recording needs the Python that gluon_reference.py
asks for:

    python sgd_reference.py tests/sagemaker/artefact/data/sgd_steps.npz
"""

import sys
from pathlib import Path

import numpy as np
from gluon_reference import MEAN, NUM_CLASSES, STD, recipe

STEPS, BATCH, SIDE = 2, 3, 32
IGNORED = 255
# A rate so small that the second gradient is nearly the first one, a decay so large that it shows.
RULE = {"learning_rate": 0.002, "momentum": 0.8, "weight_decay": 0.05}
OPTIMIZERS = ("sgd", "nag")
OF_THE_MAIN_LOSS = ("head.block.0.weight", "head.block.4.weight", "layer4.0.conv2.weight", "layer4.2.conv3.weight")
OF_BOTH_LOSSES = ("conv1.6.weight", "layer2.1.conv2.weight", "auxlayer.block.0.weight", "auxlayer.block.4.weight")
VALUES = 256  # of each tensor, evenly spread


def batches():
    """Images (STEPS, BATCH, 3, SIDE, SIDE) and class ids (STEPS, BATCH, SIDE, SIDE), uint8; some are unlabelled."""
    random = np.random.RandomState(3)
    coarse = random.randint(0, NUM_CLASSES, (STEPS, BATCH, SIDE // 8, SIDE // 8))
    class_ids = coarse.repeat(8, axis=2).repeat(8, axis=3).astype(np.uint8)
    colors = random.randint(40, 215, (NUM_CLASSES, 3))
    noise = random.randint(-40, 41, (STEPS, BATCH, SIDE, SIDE, 3))
    images = (colors[class_ids] + noise).astype(np.uint8).transpose(0, 1, 4, 2, 3)
    for i, masks in enumerate(class_ids):
        for j, mask in enumerate(masks):
            mask[: 8 * j + 3 * i, : 12 + 8 * i] = IGNORED  # another share in each image
    return np.ascontiguousarray(images), class_ids


def normalised(images):
    return ((images / 255 - MEAN[:, None, None]) / STD[:, None, None]).astype(np.float32)


def excerpt(tensor):
    """VALUES numbers of an array, or all if it has fewer."""
    flat = tensor.reshape(-1)
    return flat[:: max(1, flat.size // VALUES)][:VALUES]


def truth(class_ids):
    """Class ids as GluonCV's datasets give them: -1 where unlabelled."""
    return np.where(class_ids == IGNORED, -1, class_ids.astype(np.float32))


def network():
    from gluoncv.model_zoo import FCN
    from mxnet import gluon, nd

    net = FCN(NUM_CLASSES, backbone="resnet50", aux=True, pretrained_base=False, crop_size=SIDE)
    net.initialize()
    net(nd.zeros((1, 3, SIDE, SIDE)))  # settles the shapes
    for name, parameter in net._collect_params_with_prefix().items():
        parameter.set_data(nd.array(recipe(name, parameter.shape)))

    def silence(block):
        if isinstance(block, gluon.nn.Dropout):
            block._rate = 0.0

    net.apply(silence)
    return net


def steps(optimizer):
    """How far the named parameters have moved after each step, as scripts/segmentation/train.py moves them."""
    from gluoncv.loss import MixSoftmaxCrossEntropyLoss
    from mxnet import autograd, gluon, nd

    net, criterion = network(), MixSoftmaxCrossEntropyLoss(aux=True, aux_weight=0.5)
    rule = {"wd" if name == "weight_decay" else name: value for name, value in RULE.items()}
    trainer = gluon.Trainer(net.collect_params(), optimizer, rule)
    named = net._collect_params_with_prefix()
    first = {name: named[name].data().asnumpy() for name in OF_THE_MAIN_LOSS + OF_BOTH_LOSSES}
    moved = {}
    for step, (images, class_ids) in enumerate(zip(*batches(), strict=True), 1):
        with autograd.record():
            loss = criterion(*net(nd.array(normalised(images))), nd.array(truth(class_ids)))
        autograd.backward(loss)
        trainer.step(BATCH)
        for name, before in first.items():
            moved[f"{optimizer} {step} {name}"] = excerpt(named[name].data().asnumpy() - before)
    return moved


def two_devices():
    """How far a 1x1 convolution of four images moves in one step on two devices, without decay."""
    from gluoncv.loss import MixSoftmaxCrossEntropyLoss
    from gluoncv.utils.parallel import DataParallelCriterion, DataParallelModel
    from mxnet import autograd, cpu, gluon, nd

    devices = [cpu(0), cpu(1)]
    layer = gluon.nn.Conv2D(NUM_CLASSES, 1, in_channels=3, use_bias=False)
    layer.initialize(ctx=devices)
    layer.weight.set_data(nd.zeros((NUM_CLASSES, 3, 1, 1)))
    criterion = DataParallelCriterion(MixSoftmaxCrossEntropyLoss(aux=False), devices)
    trainer = gluon.Trainer(layer.collect_params(), "sgd", {"learning_rate": 1.0})
    images, class_ids = four_images()
    with autograd.record():
        parts = DataParallelModel(layer, devices)(nd.array(normalised(images)))
        losses = criterion(parts, nd.array(truth(class_ids)))
        autograd.backward(losses)
    trainer.step(len(images))
    return layer.weight.data(devices[0]).asnumpy()


def four_images():
    images, class_ids = batches()
    return images.reshape(-1, *images.shape[2:])[[0, 1, 3, 4]], class_ids.reshape(-1, SIDE, SIDE)[[0, 0, 0, 0]]


def record(path):
    found = {name: values for optimizer in OPTIMIZERS for name, values in steps(optimizer).items()}
    np.savez_compressed(path, **found, two_devices=two_devices())


if __name__ == "__main__":
    record(Path(sys.argv[1]))
