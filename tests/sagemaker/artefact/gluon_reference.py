"""What the real engine answers: GluonCV's networks with weights from a recipe, run by MXNet.

The recipe is pure NumPy and used by the tests too. The rest needs a Python with `numpy==1.23.5 mxnet==1.9.1 gluoncv`:

    python gluon_reference.py run psp resnet-50 image.npy OUT    artefact and logits of one network
    python gluon_reference.py record tests/sagemaker/artefact/data    what to compare with without MXNet
"""

import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

ALGORITHMS = ("fcn", "psp", "deeplab")
NUM_CLASSES = 5
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CLASSIFIER = "head.block.4"
EVERY = 3  # recorded logits are those of every third row and column


def recipe(name, shape):
    """The values of a parameter: a function of its name alone, so that activations keep their scale.

    RandomState's stream is frozen: every version of NumPy gives the same numbers.
    """
    values = np.random.RandomState(zlib.crc32(name.encode())).random_sample(shape) * 2 - 1
    leaf = name.rpartition(".")[2]
    if leaf == "gamma":
        # The last BatchNorm of a block is small, or the sums over blocks would grow beyond measure.
        low, high = (0.2, 0.4) if ".bn3." in name else (0.6, 1.4)
        values = low + (high - low) * (values + 1) / 2
    elif leaf == "running_var":
        values = 2.0**values
    elif leaf == "weight":
        values *= np.sqrt(6 / np.prod(shape[1:]))  # He et al. 2015, uniform
    else:
        values *= 0.3
    return values.astype(np.float32)


def write_list(path, arrays):
    """Write arrays as MXNet does (MXNDArrayListSave of 1.x), from the description of the format."""
    flags = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6}
    with open(path, "wb") as file:
        file.write(struct.pack("<QQQ", 0x112, 0, len(arrays)))
        for array in arrays.values():
            file.write(struct.pack("<Iii", 0xF993FAC9, 0, array.ndim))
            file.write(struct.pack(f"<{array.ndim}q", *array.shape))
            file.write(struct.pack("<iii", 1, 0, flags[array.dtype.name]))
            file.write(np.ascontiguousarray(array).tobytes())
        file.write(struct.pack("<Q", len(arrays)))
        for name in arrays:
            file.write(struct.pack("<Q", len(name)) + name.encode())


def small_image():
    """(35, 49, 3) uint8: waves and noise."""
    rows, columns = np.mgrid[:35, :49]
    waves = [np.sin(rows / 5 + i) * np.cos(columns / (4 + 2 * i)) for i in range(3)]
    noise = np.random.RandomState(7).random_sample((35, 49, 3))
    return (127 + 90 * np.stack(waves, axis=-1) + 30 * noise).clip(0, 255).astype(np.uint8)


def build(algorithm, backbone):
    import mxnet as mx
    from gluoncv import model_zoo

    network = {"fcn": model_zoo.FCN, "psp": model_zoo.PSPNet, "deeplab": model_zoo.DeepLabV3}[algorithm]
    net = network(NUM_CLASSES, backbone=backbone.replace("-", ""), pretrained_base=False)
    net.initialize()
    logits(net, small_image())  # settles the shapes
    for name, parameter in net._collect_params_with_prefix().items():
        parameter.set_data(mx.nd.array(recipe(name, parameter.shape)))
    return net


def logits(net, image):
    """(K, H, W) float32 of an image (H, W, 3) uint8, as the endpoint computes them."""
    import mxnet as mx

    pixels = (image / 255 - MEAN) / STD
    return net.predict(mx.nd.array(pixels.transpose(2, 0, 1)[None].astype(np.float32))).asnumpy()[0]


def spread_out(net, image):
    """Centre and scale the logits, so that every class wins somewhere; returns (factor, bias) of the classifier."""
    import mxnet as mx

    parameters = net._collect_params_with_prefix()
    weight, bias = parameters[CLASSIFIER + ".weight"], parameters[CLASSIFIER + ".bias"]
    found = logits(net, image) - bias.data().asnumpy()[:, None, None]
    factor = np.float32(2 / found.std(axis=(1, 2)).mean())
    weight.set_data(weight.data() * factor)
    shift = -found.mean(axis=(1, 2)) * factor
    bias.set_data(mx.nd.array(shift))
    return factor, shift.astype(np.float32)


def run(algorithm, backbone, image, folder):
    """Write what a training job leaves and the logits of `image`."""
    net, pixels = build(algorithm, backbone), np.load(image)
    spread_out(net, pixels)
    net.save_parameters(str(Path(folder) / "model_best.params"))
    given = {"algorithm": algorithm, "backbone": backbone, "num_classes": str(NUM_CLASSES), "crop_size": "240"}
    (Path(folder) / "hyperparams.json").write_text(json.dumps(given))
    np.save(Path(folder) / "logits.npy", logits(net, pixels))


def record(folder):
    """Write gluon_parameters.json, gluon_logits.npz and mxnet_arrays.params."""
    import mxnet as mx

    shapes, arrays = {}, {}
    for algorithm in ALGORITHMS:
        net = build(algorithm, "resnet-50")
        factor, bias = spread_out(net, small_image())
        shapes[algorithm] = {name: list(each.shape) for name, each in net._collect_params_with_prefix().items()}
        arrays[algorithm] = logits(net, small_image())[:, ::EVERY, ::EVERY]
        arrays[algorithm + "_factor"], arrays[algorithm + "_bias"] = factor, bias
    (Path(folder) / "gluon_parameters.json").write_text(json.dumps(shapes, separators=(",", ":")) + "\n")
    np.savez_compressed(Path(folder) / "gluon_logits.npz", **arrays)
    kinds = ("float32", "float64", "float16", "uint8", "int32", "int8", "int64")
    counting = {kind: mx.nd.array(np.arange(6).reshape(2, 3), dtype=kind) for kind in kinds}
    mx.nd.save(str(Path(folder) / "mxnet_arrays.params"), {**counting, "cube": mx.nd.ones((2, 1, 3))})


if __name__ == "__main__":
    {"run": run, "record": record}[sys.argv[1]](*sys.argv[2:])
