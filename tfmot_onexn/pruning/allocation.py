"""One budget for a network, in place of the same sparsity in each layer."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph import macs
from tfmot_onexn.pruning import prunable
from tfmot_onexn.sparsity import allocation as allocation_lib
from tfmot_onexn.sparsity import saliency as saliency_lib
from tfmot_onexn.sparsity.masks import Pattern

Layer: TypeAlias = tf_keras.layers.Layer

HIGHEST = 0.9


def sparsities(
    model: tf_keras.Model,
    pruned: Sequence[Layer],
    pattern: Pattern,
    sparsity: float,
    method: str,
    errors: Mapping[Layer, np.ndarray] | None = None,
) -> dict[Layer, float]:
    """Returns how much of each layer to prune.

    The summed error of all layers is least for the budget. No layer loses more than
    `HIGHEST`, unless all do.

    Args:
      model: a functional or built Sequential model.
      pruned: the layers of it to prune.
      pattern: of the blocks.
      sparsity: share of the budget to remove, in [0, 1).
      method: "per_layer" gives all the same, "parameters" and "macs" have one budget of
        these for all.
      errors: what the loss of each block adds to its layer's error ``[blocks]``, the
        least first; by default its share of the layer's saliency.

    Raises:
      ValueError: if the method is unknown, or the MACs of a layer are.
    """
    allocation_lib.validate_method(method)
    if method == "per_layer" or not sparsity:
        return dict.fromkeys(pruned, sparsity)
    costs = _macs(model, pruned) if method == "macs" else _parameters(pruned)
    if not errors:
        errors = {layer: _lost_saliency(layer, pattern) for layer in pruned}
    shares = allocation_lib.allocate(
        [errors[layer] for layer in pruned], costs, sparsity, highest=HIGHEST
    )
    return dict(zip(pruned, shares, strict=True))


def _lost_saliency(layer: Layer, pattern: Pattern) -> np.ndarray:
    """Returns the share of saliency that each block holds, the least first."""
    saliencies = [
        saliency_lib.of_blocks(
            weight.numpy(), pattern.n, pattern.saliency, prunable.groups(layer)
        ).ravel()
        for weight in prunable.prunable_weights(layer)
    ]
    together = np.sort(np.concatenate(saliencies)).astype(np.float64)
    return together / max(float(together.sum()), 1e-30)


def _parameters(pruned: Sequence[Layer]) -> list[float]:
    return [
        float(sum(np.prod(w.shape) for w in prunable.prunable_weights(layer)))
        for layer in pruned
    ]


def _macs(model: tf_keras.Model, pruned: Sequence[Layer]) -> list[float]:
    uses = macs.uses(model)
    counts = []
    for layer in pruned:
        of_layer: list[Any] = [
            uses[id(w)].macs if id(w) in uses else None
            for w in prunable.prunable_weights(layer)
        ]
        if None in of_layer:
            raise ValueError(
                f"The multiply-accumulates of layer {layer.name!r} are not known, so "
                "that allocation='macs' cannot count them. Build the model on images "
                "of a fixed size, or choose allocation='parameters'."
            )
        counts.append(float(sum(of_layer)))
    return counts
