"""Trains GluonCV's FCN on MXNet on given batches from given weights, as scripts/segmentation/train.py does.

    python gluoncv_sgd.py names JOB    the network's parameters as JSON, name -> shape
    python gluoncv_sgd.py train JOB    trains and leaves the weights after each of the steps in `keep`

JOB is a folder with job.json (num_classes, crop_size, optimizer, learning_rate, momentum, weight_decay, lr_scheduler,
dropout, keep), images.npy (S, B, 3, H, W) uint8, class_ids.npy (S, B, H, W) uint8 with 255 where unlabelled, and
weights.npz by parameter name. `train` adds losses.npy (S,) and step_<n>.npz. The loss, the schedule, `lr_mult` of the
heads and `Trainer.step(batch_size)` are GluonCV's own; so is what it makes of `aux_weight`. How to make the
interpreter stands in gluoncv_speed.py.
"""

import json
import sys
from pathlib import Path

import numpy as np

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def build(job):
    from gluoncv.model_zoo import FCN
    from mxnet import gluon, init, nd

    net = FCN(job["num_classes"], backbone="resnet50", aux=True, pretrained_base=False, crop_size=job["crop_size"])
    net.initialize(init.Xavier(), force_reinit=True)
    net(nd.zeros((1, 3, job["crop_size"], job["crop_size"])))  # settles the shapes

    def silence(block):
        if isinstance(block, gluon.nn.Dropout) and not job["dropout"]:
            block._rate = 0.0

    net.apply(silence)
    net.hybridize(static_alloc=True)
    return net


def normalised(images):
    """(B, 3, H, W) float32 of uint8 pixels, as ToTensor and Normalize give it."""
    return ((images / 255 - MEAN[:, None, None]) / STD[:, None, None]).astype(np.float32)


def build_trainer(net, job, steps):
    from gluoncv.utils import LRScheduler
    from mxnet import gluon

    rule = {"learning_rate": job["learning_rate"], "momentum": job["momentum"], "wd": job["weight_decay"]}
    if job["lr_scheduler"] != "constant":
        rule["lr_scheduler"] = LRScheduler(
            job["lr_scheduler"], base_lr=job["learning_rate"], nepochs=1, iters_per_epoch=steps, power=0.9
        )
    return gluon.Trainer(net.collect_params(), job["optimizer"], rule)


def train(folder, job):
    from gluoncv.loss import MixSoftmaxCrossEntropyLoss
    from mxnet import autograd, nd

    net = build(job)
    parameters = net._collect_params_with_prefix()
    with np.load(folder / "weights.npz") as weights:
        for name, parameter in parameters.items():
            parameter.set_data(nd.array(weights[name]))
    images, class_ids = np.load(folder / "images.npy"), np.load(folder / "class_ids.npy").astype(np.float32)
    class_ids[class_ids == 255] = -1  # how GluonCV's datasets mark what is unlabelled
    criterion = MixSoftmaxCrossEntropyLoss(aux=True, aux_weight=job["aux_weight"])
    trainer = build_trainer(net, job, len(images))
    losses = []
    for step, (pixels, truth) in enumerate(zip(images, class_ids, strict=True), 1):
        with autograd.record(train_mode=True):
            loss = criterion(*net(nd.array(normalised(pixels))), nd.array(truth))
        loss.backward()
        trainer.step(len(pixels))
        losses.append(float(loss.mean().asscalar()))
        if step in job["keep"]:
            kept = {name: parameter.data().asnumpy() for name, parameter in parameters.items()}
            np.savez(folder / f"step_{step}.npz", **kept)
    np.save(folder / "losses.npy", np.array(losses))


def main():
    command, folder = sys.argv[1], Path(sys.argv[2])
    job = json.loads((folder / "job.json").read_text())
    if command == "names":
        shapes = {name: each.shape for name, each in build(job)._collect_params_with_prefix().items()}
        print(json.dumps(shapes))
    else:
        train(folder, job)


if __name__ == "__main__":
    main()
