"""Filter rearrangement of a whole network (paper section 3.3), for real.

The order found for a channel group moves the filters that make the channels and
everything that reads or scales them: BatchNormalization, depthwise kernels, biases,
squeeze-and-excite branches, the input channels of the next layers, and all layers
that a residual add ties to them. The network computes what it did before.
"""

import concurrent.futures
import contextlib
import ctypes
import os
import sys
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import rich.console
import rich.progress
import tf_keras

from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.graph import reindex, surgery, tracing
from tfmot_onexn.sparsity import blocks, masks, permutation

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
      seed: orders the exchanges of "swaps".
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
        verbose=verbose,
    )
    return surgery.copy_model(model, weights)


def rearranged_weights(
    model: tf_keras.Model,
    n: int,
    sparsity: float,
    method: str,
    *,
    prunable: Callable[[Layer], bool],
    uniform: bool = False,
    saliency: str = "l1",
    seed: int = 0,
    verbose: bool = True,
) -> dict[Layer, list[np.ndarray]]:
    """Returns the new weights of the layers that `rearrange` would change."""
    blocks.validate_block_size(n)
    masks.validate_sparsity(sparsity)
    permutation.validate_method(method)
    graph = tracing.trace(model)
    tracing.require_bare(model)
    jobs = [
        (group, kernels)
        for group in graph.groups
        if not group.pinned and (kernels := producing_kernels(group, prunable))
    ]

    def search(job: tuple[cg.ChannelGroup, list[np.ndarray]]) -> np.ndarray:
        return permutation.search(
            job[1], n, sparsity, method, uniform=uniform, saliency=saliency, seed=seed
        )

    # NumPy works outside the interpreter lock, so threads share the cores
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(search, jobs)
        bar = rich.progress.track(
            found,
            "Rearranging filters",
            total=len(jobs),
            console=rich.console.Console(stderr=True),
            transient=True,
            disable=not (verbose and sys.stderr.isatty()),
        )
        orders = list(bar)
    _return_freed_memory()
    indices = {group: order for (group, _), order in zip(jobs, orders, strict=True)}
    return reindex.reindexed_weights(indices)


def _return_freed_memory() -> None:
    """Gives back what the threads have freed; glibc would keep it for them."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def producing_kernels(
    group: cg.ChannelGroup, prunable: Callable[[Layer], bool]
) -> list[np.ndarray]:
    """Returns the kernels ``[..., in, size]`` of a group that will be pruned.

    A kernel that makes each channel several times, since a grouped convolution reads it
    so, is returned as often.
    """
    return [
        np.take(member.axis.layer.get_weights()[member.axis.weight], where, axis=-1)
        for member in group.members_as(cg.OUTPUT)
        if prunable(member.axis.layer)
        for where in member.positions
    ]
