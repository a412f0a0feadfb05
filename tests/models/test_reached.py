"""Parameters without a way to the loss are frozen, and nothing else changes."""

import pytest
import torch

from pixelwise.models.reached import freeze_unreached
from pixelwise.models.segmenter import build_segmenter
from pixelwise.settings import Settings


def build(**values):
    torch.manual_seed(0)
    return build_segmenter(Settings(**{"pretrained": False, **values}), 2, load_weights=False)


def without_gradient(model):
    """The names of the parameters that a backward pass leaves without a gradient."""
    logits = model(torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8))
    sum(each.sum() for each in logits if each is not None).backward()
    return {name for name, parameter in model.named_parameters() if parameter.grad is None}


@pytest.mark.parametrize("algorithm", ["fcn", "deeplabv3plus"])
def test_what_a_backward_pass_leaves_out_is_frozen(algorithm):
    expected = without_gradient(build(algorithm=algorithm, backbone="hrnet_w18_small"))
    model = build(algorithm=algorithm, backbone="hrnet_w18_small")
    said = freeze_unreached(model)
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == expected != set()
    assert f"({len(frozen)} tensors, backbone.trunk.stage4." in said
    assert freeze_unreached(model) is None


def test_a_network_that_learns_as_a_whole_is_left_as_it_is():
    model = build(algorithm="deeplabv3plus", backbone="resnet10t", aux_loss_weight=0.4)
    model.head.eval()
    state, random = {name: each.clone() for name, each in model.state_dict().items()}, torch.get_rng_state()
    assert freeze_unreached(model) is None
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert model.training
    assert model.backbone.training
    assert not model.head.training


def test_the_auxiliary_head_reaches_what_the_head_does_not():
    alone = build(algorithm="fcn", backbone="hrnet_w18_small")
    helped = build(algorithm="fcn", backbone="hrnet_w18_small", aux_loss_weight=0.4)
    for model in (alone, helped):
        freeze_unreached(model)
    assert all(parameter.requires_grad for parameter in helped.auxiliary.parameters())
    frozen = [sum(not each.requires_grad for each in model.parameters()) for model in (alone, helped)]
    assert frozen[1] < frozen[0]
