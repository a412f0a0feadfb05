import torch
import torch.distributed as dist
import torch.multiprocessing as processes
from timm.layers import BatchNormAct2d
from torch import nn

from pixelwise.runtime import Runtime
from pixelwise.training.batchnorm import SharedBatchNorm, synchronise


def layers():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1), BatchNormAct2d(4))


def images():
    return torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(1)) * 3 + 1


def _half(rank, folder):
    """Process `rank` of two: its half of the batch through synchronised layers; results to a file."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = layers()
    synchronise(model, Runtime(torch.device("cpu"), torch.float32, rank, 2))
    part = images()[rank * 2 : rank * 2 + 2].requires_grad_()
    found = model(part)
    found.square().sum().backward()
    torch.save({"out": found.detach(), "grad": part.grad, "state": model.state_dict()}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_halves_are_normalised_as_the_whole_with_the_same_gradients_and_statistics(tmp_path):
    processes.spawn(_half, args=(str(tmp_path),), nprocs=2)
    halves = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    model, whole = layers(), images().requires_grad_()
    expected = model(whole)
    expected.square().sum().backward()
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(torch.cat([half["out"] for half in halves]), expected.detach(), **close)
    torch.testing.assert_close(torch.cat([half["grad"] for half in halves]), whole.grad, **close)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(halves[0]["state"][name], value, **close)


def test_names_weights_and_eval_mode_stay(tmp_path):
    model, reference = layers(), layers()
    synchronise(model, Runtime(torch.device("cpu"), torch.float32))
    assert isinstance(model[1], SharedBatchNorm)
    assert model.state_dict().keys() == reference.state_dict().keys()
    model.eval()
    reference.eval()
    torch.testing.assert_close(model(images()), reference(images()))
