"""An image as a tally counts it, of which a test says only what its tally looks at."""

import numpy as np
import torch

from pixelwise.scoring.insight.tally import Scored


def scored(truth, predicted=None, *, logits=None, probabilities=None) -> Scored:
    """What is left out is a class map of zeros, and nothing at all for logits and probabilities."""
    nothing = torch.zeros(0)
    return Scored(
        truth,
        np.zeros_like(truth) if predicted is None else predicted,
        nothing if logits is None else logits,
        nothing if probabilities is None else probabilities,
    )
