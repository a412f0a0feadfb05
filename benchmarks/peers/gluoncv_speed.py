"""Training speed of GluonCV on MXNet, the engine inside the AWS image, one process that obeys its caller.

Runs under an interpreter of its own, because MXNet needs an old numpy. Python 3.8 to 3.11 on Linux will
do:

    python3 -m venv mx
    mx/bin/pip install "numpy==1.23.5" "mxnet==1.9.1" gluoncv

Each line on standard input is a number of steps; the answer is one line with the seconds they took. The
model is the one that the AWS algorithm builds: `fcn` or `deeplab` on the deep-stem ResNet-50 at output
stride 8 with the auxiliary head at weight 0.5, float32, SGD with momentum.
"""

import argparse
import sys
import time


def build(algorithm, num_classes, crop_size, hybridize):
    from gluoncv.loss import MixSoftmaxCrossEntropyLoss
    from gluoncv.model_zoo.deeplabv3 import DeepLabV3
    from gluoncv.model_zoo.fcn import FCN
    from mxnet import cpu, gluon, init

    network = {"fcn": FCN, "deeplab": DeepLabV3}[algorithm]
    model = network(num_classes, backbone="resnet50", aux=True, pretrained_base=False, crop_size=crop_size)
    model.initialize(init.Xavier(), ctx=cpu())
    if hybridize:
        model.hybridize(static_alloc=True)
    criterion = MixSoftmaxCrossEntropyLoss(aux=True, aux_weight=0.5)
    rule = {"learning_rate": 0.001, "momentum": 0.9, "wd": 1e-4}
    return model, criterion, gluon.Trainer(model.collect_params(), "sgd", rule)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("algorithm", choices=["fcn", "deeplab"])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", type=int, default=240)
    parser.add_argument("--num-classes", type=int, default=11)
    parser.add_argument("--hybridize", action="store_true", help="compile the graph; the AWS image does not")
    arguments = parser.parse_args()

    import mxnet
    import numpy as np

    model, criterion, trainer = build(arguments.algorithm, arguments.num_classes, arguments.crop, arguments.hybridize)
    rng = np.random.default_rng(0)
    shape = (arguments.batch, 3, arguments.crop, arguments.crop)
    images = mxnet.nd.array(rng.standard_normal(shape).astype("float32"))
    class_ids = mxnet.nd.array(rng.integers(0, arguments.num_classes, (shape[0], *shape[2:])))
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            with mxnet.autograd.record():
                loss = criterion(*model(images), class_ids).mean()
            loss.backward()
            trainer.step(1)
            mxnet.nd.waitall()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
