"""Losses: logits and class ids -> one number. Ignored pixels count for nothing; no labels give 0, never NaN.

`logits` are (N, K, H, W) float32, `class_ids` (N, H, W) uint8 with 255 where unlabelled, `weights` (K,) or
None. A new loss is a function here and a line in `menus.LOSSES`.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelwise.labels import IGNORE
from pixelwise.menus import LOSSES
from pixelwise.scoring.validate import Criterion
from pixelwise.settings import Settings, parse_loss

Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]

FOCAL_GAMMA = 2.0
OHEM_PROBABILITY = 0.7
OHEM_LEAST_SHARE = 1 / 16


def cross_entropy(logits: Tensor, class_ids: Tensor, weights: Tensor | None) -> Tensor:
    """Mean negative log-likelihood of the labelled pixels, in nats, each times its class weight."""
    return _mean(*_pixel_losses(logits, class_ids, weights))


def focal(logits: Tensor, class_ids: Tensor, weights: Tensor | None) -> Tensor:
    """Cross entropy times (1 - p)^2, p the probability of the truth (Lin et al., arXiv 1708.02002, eq. 4)."""
    plain, labelled = _pixel_losses(logits, class_ids, None)
    weighted = plain if weights is None else plain * _weight_map(class_ids, weights)
    return _mean((1 - torch.exp(-plain)) ** FOCAL_GAMMA * weighted, labelled)


def ohem(logits: Tensor, class_ids: Tensor, weights: Tensor | None) -> Tensor:
    """Cross entropy of the hard pixels only (Shrivastava et al., arXiv 1604.03540, per pixel).

    Hard is a truth with a probability below 0.7; at least a sixteenth of the labelled pixels count.
    """
    plain, labelled = _pixel_losses(logits, class_ids, None)
    with torch.no_grad():
        kept = int(labelled.sum() * OHEM_LEAST_SHARE)
        easiest = plain.flatten().topk(max(kept, 1)).values[-1]
        limit = torch.minimum(easiest, plain.new_tensor(-np.log(OHEM_PROBABILITY)))
        hard = labelled & (plain >= limit)
    weighted = plain if weights is None else plain * _weight_map(class_ids, weights)
    return _mean(weighted * hard, hard)


def dice(logits: Tensor, class_ids: Tensor, weights: Tensor | None) -> Tensor:
    """1 - the mean soft Dice score of the classes in the truth (Milletari et al., arXiv 1606.04797)."""
    probabilities, truth = _flat(logits, class_ids)
    one_hot = F.one_hot(truth, logits.shape[1]).to(probabilities.dtype)
    overlap = (probabilities * one_hot).sum(0)
    score = 2 * overlap / (probabilities.sum(0) + one_hot.sum(0)).clamp(min=1e-6)
    return _mean_over_present(1 - score, one_hot.sum(0) > 0, weights)


def lovasz(logits: Tensor, class_ids: Tensor, weights: Tensor | None) -> Tensor:
    """Lovász-Softmax: a convex stand-in for 1 - IoU of the classes in the truth (arXiv 1705.08790, eq. 11)."""
    probabilities, truth = _flat(logits, class_ids)
    per_class, present = [], []
    for class_id in range(logits.shape[1]):
        is_class = (truth == class_id).to(probabilities.dtype)
        errors, order = (is_class - probabilities[:, class_id]).abs().sort(descending=True)
        per_class.append(torch.dot(errors, _jaccard_slope(is_class[order])))
        present.append(is_class.any())
    return _mean_over_present(torch.stack(per_class), torch.stack(present), weights)


def build_criterion(settings: Settings, weights: Tensor | None) -> Criterion:
    """The sum of losses that `settings.loss` names, as a function of logits and class ids."""
    terms: list[tuple[float, Loss]] = [(factor, LOSSES[name].built()) for factor, name in parse_loss(settings.loss)]

    def criterion(logits: Tensor, class_ids: Tensor) -> Tensor:
        return torch.stack([factor * loss(logits, class_ids, weights) for factor, loss in terms]).sum()

    return criterion


def _pixel_losses(logits: Tensor, class_ids: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
    """Cross entropy (N, H, W), 0 where unlabelled, and where labelled.

    Gathers instead of calling nll_loss, whose CUDA kernel for images is not deterministic.
    """
    labelled = class_ids != IGNORE
    index = torch.where(labelled, class_ids, 0).long().unsqueeze(1)
    log_probability = F.log_softmax(logits, dim=1).gather(1, index).squeeze(1)
    losses = torch.where(labelled, -log_probability, 0.0)
    return (losses if weights is None else losses * _weight_map(class_ids, weights)), labelled


def _weight_map(class_ids: Tensor, weights: Tensor) -> Tensor:
    return weights[torch.where(class_ids != IGNORE, class_ids, 0).long()]


def _mean(losses: Tensor, counted: Tensor) -> Tensor:
    # Sum and count separately: the mean over zero labelled pixels would be NaN.
    return losses.sum() / counted.sum().clamp(min=1)


def _flat(logits: Tensor, class_ids: Tensor) -> tuple[Tensor, Tensor]:
    """Probabilities (P, K) and truth (P,) of the P labelled pixels."""
    labelled = class_ids != IGNORE
    return logits.softmax(1).permute(0, 2, 3, 1)[labelled], class_ids[labelled].long()


def _mean_over_present(per_class: Tensor, present: Tensor, weights: Tensor | None) -> Tensor:
    share = present.to(per_class.dtype) * (1 if weights is None else weights)
    return (torch.where(present, per_class, 0.0) * share).sum() / share.sum().clamp(min=1e-6)


def _jaccard_slope(is_class: Tensor) -> Tensor:
    """Gradient of the Lovász extension of 1 - IoU for pixels sorted by error (Algorithm 1 of the paper)."""
    total = is_class.sum()
    intersection = total - is_class.cumsum(0)
    union = total + (1 - is_class).cumsum(0)
    jaccard = 1 - intersection / union
    return torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
