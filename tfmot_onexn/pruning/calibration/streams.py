"""Runs the dense and the pruned network side by side, layer by layer, image by image.

Feature maps of many images do not fit in memory, so they are kept only where few values
are alive, such as between two inverted residuals, and computed from there again.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import tf_keras

from tfmot_onexn.graph.calls import Calls

Layer: TypeAlias = tf_keras.layers.Layer
Values = dict[int, Any]

_MEMORY_BYTES = 2**30


class Streams:
    """Two networks on the same images.

    The pruned one differs from the dense one in the layers that `replace` has named,
    and is computed only where it differs.

    Attributes:
      count: of the images.
    """

    def __init__(
        self,
        calls: Calls,
        images: np.ndarray,
        batch_size: int,
        memory: int = _MEMORY_BYTES,
    ):
        """Starts at the images.

        Args:
          calls: of the dense network, with one input.
          images: ``[count, ...]``.
          batch_size: images that are computed at once.
          memory: bytes of feature maps to keep from one run to the next.
        """
        self._calls = calls.calls
        self._last_reading = calls.last_reading()
        self._twins: dict[int, Layer] = {}
        (number,) = calls.inputs
        batches = [
            images[start : start + batch_size]
            for start in range(0, len(images), batch_size)
        ]
        self.count = len(images)
        self._memory = memory // len(batches)
        self._kept: list[tuple[int, Values, Values]] = []
        for batch in batches:
            values = {number: batch}
            self._kept.append((0, values, values))

    def replace(self, layer: Layer, twin: Layer) -> None:
        """Lets the pruned network have another layer from now on."""
        self._twins[id(layer)] = twin

    def before(self, index: int) -> Iterator[tuple[Values, Values]]:
        """Yields, batch by batch, the tensors that are alive before a call.

        Layers before it must not change afterwards.

        Args:
          index: of the call.

        Yields:
          The tensors of the dense network and of the pruned one, by their numbers. One
          that is the same in both is the same object.
        """
        for batch in range(len(self._kept)):
            yield self._run(batch, index)

    def _run(self, batch: int, index: int) -> tuple[Values, Values]:
        start, kept_dense, kept_pruned = self._kept[batch]
        dense, pruned = dict(kept_dense), dict(kept_pruned)
        for at in range(start, index):
            call = self._calls[at]
            made = other = call.run(dense)
            twin = self._twins.get(id(call.layer))
            if twin is not None or any(
                dense[number] is not pruned[number] for number in call.inputs
            ):
                other = call.run(pruned, twin)
            dense.update(zip(call.outputs, made, strict=True))
            pruned.update(zip(call.outputs, other, strict=True))
            for number in {*call.inputs, *call.outputs}:
                if self._last_reading.get(number, -1) <= at:
                    del dense[number], pruned[number]
            if _bytes(dense, pruned) <= self._memory:
                self._kept[batch] = (at + 1, dict(dense), dict(pruned))
        return dense, pruned


def _bytes(dense: Values, pruned: Values) -> int:
    tensors = {id(value): value for value in (*dense.values(), *pruned.values())}
    return sum(
        int(np.prod(value.shape)) * value.dtype.itemsize
        if isinstance(value, np.ndarray)
        else value.shape.num_elements() * value.dtype.size
        for value in tensors.values()
    )
