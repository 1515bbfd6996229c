"""Collects what XNNPACK's rules ask of kernels; see `constraints`."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfmot_onexn.tflite import flatbuffer, sparse_inference
from tfmot_onexn.tflite.kernels import StoredKernel
from tfmot_onexn.tflite.sparse_inference import State


@dataclasses.dataclass(frozen=True)
class Facts:
    """What the rules ask about a kernel and the network around it.

    Attributes:
      operator: of TFLite, None if not known.
      pointwise: whether its window is 1x1.
      strided: whether it is a convolution with strides.
      zeros: share of weights that are zero.
      has_blocks: whether it has zero blocks.
      stored_sparse: whether a `.tflite` stores it as a sparse tensor.
      channels: output channels that XNNPACK's sparse kernel multiplies at a time.
      file_is_sparse: whether any kernel of the network is stored sparse.
      most_zeros: the largest share of zeros in a 1x1 kernel of the network.
      state: what XNNPACK makes of the operator (see `sparse_inference`), None before
        the model is converted.
      leak: what reads the results where sparse inference goes wrong, empty if nothing.
      reshaped: the pooling that gets the wrong shape, empty if there is none.
      blockers: operators that sparse inference cannot pass, empty if there are none.
    """

    operator: str | None
    pointwise: bool
    strided: bool
    zeros: float
    has_blocks: bool
    stored_sparse: bool
    channels: int
    file_is_sparse: bool = False
    most_zeros: float = 0.0
    state: State | None = None
    leak: str = ""
    reshaped: str = ""
    blockers: str = ""


def of_kernel(kernel: Any, n: int | None, stored_sparse: bool) -> Facts:
    """Returns what a kernel itself tells.

    Args:
      kernel: of a model or a file, with ``kernel`` ``[..., in, out]``, ``operator`` and
        ``strided``.
      n: output channels per zero block, None if it has none.
      stored_sparse: whether a `.tflite` stores it as a sparse tensor.
    """
    weights = kernel.kernel
    return Facts(
        operator=kernel.operator,
        pointwise=all(size == 1 for size in weights.shape[:-2]),
        strided=kernel.strided,
        zeros=1 - np.count_nonzero(weights) / weights.size,
        has_blocks=n is not None,
        stored_sparse=stored_sparse,
        channels=channels_at_a_time(weights),
    )


def in_file(
    model: Any, kernels: Sequence[StoredKernel], facts: Sequence[Facts]
) -> list[Facts]:
    """Adds what the graph of a file tells of its kernels.

    Args:
      model: a ``ModelT`` that `validation` accepts.
      kernels: that `tflite.kernels.read` finds in it.
      facts: about them, see `of_kernel`.
    """
    if not any(kernel.stored_sparse for kernel in facts):
        return list(facts)
    zeros_of: list[dict[int, tuple[int, int]]] = [{} for _ in model.subgraphs]
    for kernel in kernels:
        zeros = kernel.kernel.size - int(np.count_nonzero(kernel.kernel))
        for place in kernel.places:
            zeros_of[place.graph][place.tensor] = (zeros, kernel.kernel.size)
    found = [
        sparse_inference.follow(model, graph, zeros)
        for graph, zeros in zip(model.subgraphs, zeros_of, strict=True)
    ]
    faults: list[dict[str, Any]] = [
        {
            "leak": _first_reader(model, graph, inference.leaks),
            "reshaped": _first_name(model, graph, inference.reshaped),
            "blockers": _names(model, graph, inference.blockers),
        }
        for graph, inference in zip(model.subgraphs, found, strict=True)
    ]
    known = []
    for kernel, own in zip(kernels, facts, strict=True):
        states = [found[p.graph].states.get(p.operator) for p in kernel.places]
        state = State.SPARSE if State.SPARSE in states else states[0] or State.APART
        fault = faults[kernel.places[0].graph]
        known.append(dataclasses.replace(own, state=state, **fault))
    return known


def channels_at_a_time(kernel: np.ndarray) -> int:
    """Returns how many output channels XNNPACK's sparse kernel multiplies at a time.

    Four where the kept blocks of 4 consecutive output channels have 3.6 weights other
    than 0 on average, else two where those of 2 have 1.8, else one (XNNPACK,
    src/operators/convolution-nchw.c). Channels that fill no block count in neither.

    Args:
      kernel: ``[..., in, out]`` of a 1x1 convolution.
    """
    nonzero_io = kernel.reshape(-1, kernel.shape[-1]) != 0
    for width in (4, 2):
        whole = nonzero_io[:, : nonzero_io.shape[1] // width * width]
        blocks = whole.reshape(-1, width)
        kept = blocks.any(axis=1)
        if 10 * blocks.sum() >= 9 * width * kept.sum() and kept.any():
            return width
    return 1


def _first_reader(model: Any, graph: Any, operators: Sequence[int]) -> str:
    """Returns what reads the result of the first of some operators."""
    if not operators:
        return ""
    result = int(graph.operators[operators[0]].outputs[0])
    for reader, operator in enumerate(graph.operators):
        if result in (int(tensor) for tensor in operator.inputs):
            return _first_name(model, graph, [reader])
    return "who reads the output"


def _names(model: Any, graph: Any, operators: Sequence[int]) -> str:
    """Returns what to call some operators, the first two of them by name."""
    names = [_first_name(model, graph, [operator]) for operator in operators[:2]]
    others = len(operators) - len(names)
    return ", ".join([*names, *([f"{others} more"] if others else [])])


def _first_name(model: Any, graph: Any, operators: Sequence[int]) -> str:
    """Returns what to call the first of some operators."""
    if not operators:
        return ""
    operator = graph.operators[operators[0]]
    kind = flatbuffer.operator_name(flatbuffer.operator_of(model, operator))
    results = [graph.tensors[int(tensor)] for tensor in operator.outputs[:1]]
    names = [flatbuffer.tensor_name(tensor).split(";")[0] for tensor in results]
    return " ".join([kind, *names])
