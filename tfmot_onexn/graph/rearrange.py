"""Filter rearrangement of a whole network (paper section 3.3), for real.

The order found for a channel group moves the filters that make the channels and
everything that reads or scales them: BatchNormalization, depthwise kernels, biases,
squeeze-and-excite branches, the input channels of the next layers, and all layers
that a residual add ties to them. The network computes what it did before.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph import orders, reindex, surgery, tracing
from tfmot_onexn.sparsity import masks
from tfmot_onexn.sparsity import saliency as saliency_lib

Layer: TypeAlias = tf_keras.layers.Layer


def pointwise(layer: Layer) -> bool:
    """Returns whether a layer is a 1x1 convolution, the paper's choice to prune.

    So is the second half of a separable convolution.
    """
    layers = tf_keras.layers
    if isinstance(layer, (layers.SeparableConv1D, layers.SeparableConv2D)):
        return True
    convolution = isinstance(layer, (layers.Conv1D, layers.Conv2D, layers.Conv3D))
    return convolution and set(layer.kernel_size) == {1}


def rearrange(
    model: tf_keras.Model,
    n: int = 4,
    sparsity: float = 0.5,
    method: str = "swaps",
    *,
    prunable: Callable[[Layer], bool] = pointwise,
    uniform: bool = False,
    saliency: str = "l1",
    seed: int = 0,
    seconds: float | None = None,
    verbose: bool = True,
) -> tf_keras.Model:
    """Reorders the output channels of a network so that 1xN pruning keeps more.

    Args:
      model: a functional or built Sequential model; it is not changed.
      n: output channels per block.
      sparsity: share of blocks that will be pruned, in [0, 1).
      method: "l1", "assignment" or "swaps", see `sparsity.permutation`.
      prunable: which layers will be pruned; their kernels decide the order.
      uniform: for masks with the same number of blocks in every block row.
      saliency: the criterion, see `sparsity.saliency`.
      seed: of the search.
      seconds: time for the search, None for as much as mostly pays. More may keep more.
      verbose: show a progress bar on a terminal.

    Returns:
      A new model, which computes the same function up to float32 rounding.

    Raises:
      ValueError: if the model has no graph or an argument does not fit.
    """
    weights = rearranged_weights(
        model,
        n,
        sparsity,
        method,
        prunable=prunable,
        uniform=uniform,
        saliency=saliency,
        seed=seed,
        seconds=seconds,
        verbose=verbose,
    )
    return surgery.copy_model(model, weights)


def rearranged_weights(
    model: tf_keras.Model, n: int, sparsity: float, method: str, **options: Any
) -> dict[Layer, list[np.ndarray]]:
    """Returns the new weights of the layers that `rearrange` would change.

    The arguments are those of `orders.find_orders`.
    """
    return reindex.reindexed_weights(
        orders.find_orders(model, n, sparsity, method, **options)
    )


class Kept(NamedTuple):
    """The saliency of a layer's kernel, and how much of it 1xN pruning keeps."""

    kept: float
    total: float

    @property
    def share(self) -> float:
        """What is kept of all, in [0, 1]; 1 where there is nothing to keep."""
        return self.kept / self.total if self.total else 1.0


def kept_by_layer(
    model: tf_keras.Model,
    n: int = 4,
    sparsity: float = 0.5,
    *,
    prunable: Callable[[Layer], bool] = pointwise,
    uniform: bool = False,
    saliency: str = "l1",
) -> dict[str, Kept]:
    """Tells what 1xN pruning would keep of each layer, its filters as they stand.

    Before and after `rearrange`, this shows what rearrangement brings to each layer.
    Layers that a residual add ties share one order, so one may lose what another gains.
    N = 1 gives what weight pruning keeps of a 1x1 kernel, which no order can exceed.

    Args:
      model: a functional or built Sequential model without pruning wrappers.
      n: output channels per block.
      sparsity: share of blocks that will be pruned, in [0, 1).
      prunable: which layers to tell of.
      uniform: the same number of blocks in every block row.
      saliency: the criterion, see `sparsity.saliency`.

    Raises:
      ValueError: if the model has no graph or an argument does not fit.
    """
    found = {}
    axes = tracing.trace(model).axes
    tracing.require_bare(model)
    for axis in axes:
        if axis.role == cg.OUTPUT and prunable(axis.layer):
            kernel = axis.layer.get_weights()[axis.weight]
            scores = saliency_lib.contributions(kernel, saliency)
            mask = masks.block_mask(
                kernel,
                n,
                sparsity,
                uniform=uniform,
                saliency=saliency,
                groups=getattr(axis.layer, "groups", 1),
            )
            kept, total = scores[mask].sum(dtype=float), scores.sum(dtype=float)
            found[axis.layer.name] = Kept(float(kept), float(total))
    return found
