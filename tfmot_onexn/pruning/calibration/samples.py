"""Looks at feature maps in some places: inputs and targets of a unit."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmot_onexn.pruning.calibration.folding import Linear
from tfmot_onexn.pruning.calibration.streams import Streams
from tfmot_onexn.pruning.calibration.units import Unit


@dataclasses.dataclass
class Rows:
    """Inputs of a unit in the pruned network, and what its outputs should be.

    Attributes:
      inputs_sk: ``[samples, K]``.
      targets_sm: ``[samples, M]``: the dense network's outputs before the activation,
        plus what a residual add will lack.
      differ: whether any input or target is not the dense network's.
    """

    inputs_sk: np.ndarray
    targets_sm: np.ndarray
    differ: bool


@dataclasses.dataclass
class Taps:
    """Windows that a depthwise convolution reads, and what it should make of each.

    Attributes:
      windows_cst: ``[C, samples, kh * kw + 1]`` in the pruned network, the last place
        of a window a constant 1.
      targets_cs: the dense network's outputs before the activation ``[C, samples]``.
      differ: whether any input is not the dense network's.
    """

    windows_cst: np.ndarray
    targets_cs: np.ndarray
    differ: bool


def rows(
    unit: Unit, dense: Linear, streams: Streams, pixels: int, seed: tuple[int, ...]
) -> Rows:
    """Samples a 1x1 convolution or Dense layer; see `Rows`.

    Args:
      unit: of that kind.
      dense: what the dense network computes there.
      streams: of both networks.
      pixels: places per image.
      seed: of the choice of places.
    """
    inputs, targets, differ = [], [], False
    for batch, (of_dense, of_pruned) in enumerate(streams.before(unit.index)):
        choose = _Places((*seed, unit.index, batch), pixels)
        strides = getattr(unit.layer, "strides", ())
        read = choose(of_dense[unit.source], strides)
        target = read @ dense.kernel_km + dense.bias_m
        if of_pruned[unit.source] is not of_dense[unit.source]:
            differ, read = True, choose(of_pruned[unit.source], strides)
        if unit.shortcut is not None and (
            of_pruned[unit.shortcut] is not of_dense[unit.shortcut]
        ):
            differ = True
            target += choose(of_dense[unit.shortcut]) - choose(of_pruned[unit.shortcut])
        inputs.append(read)
        targets.append(target)
    return Rows(np.concatenate(inputs), np.concatenate(targets), differ)


def taps(
    unit: Unit, dense: Linear, streams: Streams, pixels: int, seed: tuple[int, ...]
) -> Taps:
    """Samples a depthwise convolution; see `Taps` and `rows`."""
    windows, targets, differ = [], [], False
    weights_ct = np.vstack([dense.kernel_km, dense.bias_m]).T
    for batch, (of_dense, of_pruned) in enumerate(streams.before(unit.index)):
        rng = np.random.default_rng((*seed, unit.index, batch))
        look = _Window(unit.layer, of_dense[unit.source].shape, pixels, rng)
        window_cst = look(of_dense[unit.source])
        targets.append((window_cst @ weights_ct[:, :, None])[:, :, 0])
        if of_pruned[unit.source] is not of_dense[unit.source]:
            differ, window_cst = True, look(of_pruned[unit.source])
        windows.append(window_cst)
    return Taps(
        np.concatenate(windows, axis=1), np.concatenate(targets, axis=1), differ
    )


class _Places:
    """Takes the same places of every feature map of a batch that it is given."""

    def __init__(self, seed: tuple[int, ...], pixels: int):
        self._seed, self._pixels = seed, pixels

    def __call__(self, values: Any, strides: tuple[int, ...] = ()) -> np.ndarray:
        """Returns ``[images * places, channels]`` of ``[images, ..., channels]``."""
        map_ = np.asarray(values)
        if strides and set(strides) != {1}:
            map_ = map_[(slice(None), *(slice(None, None, s) for s in strides))]
        flat = map_.reshape(map_.shape[0], -1, map_.shape[-1])
        count = flat.shape[1]
        if count > self._pixels:
            rng = np.random.default_rng(self._seed)
            flat = flat[:, np.sort(rng.permutation(count)[: self._pixels])]
        return flat.reshape(-1, flat.shape[-1]).astype(np.float32, copy=False)


class _Window:
    """Takes the windows that a depthwise convolution reads in some places."""

    def __init__(self, layer, shape, pixels: int, rng: np.random.Generator):
        self._layer = layer
        sizes = tuple(int(size) for size in shape[1:3])
        spans = [
            dilation * (kernel - 1) + 1
            for kernel, dilation in zip(
                layer.kernel_size, layer.dilation_rate, strict=True
            )
        ]
        self._padding = [
            _padding(size, span, stride) if layer.padding == "same" else (0, 0)
            for size, span, stride in zip(sizes, spans, layer.strides, strict=True)
        ]
        self._starts = [
            rng.integers((size + sum(around) - span) // stride + 1, size=pixels)
            * stride
            for size, around, span, stride in zip(
                sizes, self._padding, spans, layer.strides, strict=True
            )
        ]

    def __call__(self, values: Any) -> np.ndarray:
        """Returns ``[C, images * places, kh * kw + 1]``, the last place 1."""
        padded = np.pad(np.asarray(values), [(0, 0), *self._padding, (0, 0)])
        parts = list(self._parts(padded))
        parts.append(np.ones_like(parts[0]))
        return np.stack(parts, axis=-1)

    def _parts(self, padded: np.ndarray) -> Iterator[np.ndarray]:
        rows, columns = self._starts
        down, right = self._layer.dilation_rate
        for i in range(self._layer.kernel_size[0]):
            for j in range(self._layer.kernel_size[1]):
                taken = padded[:, rows + i * down, columns + j * right]
                yield taken.reshape(-1, padded.shape[-1]).T.astype(np.float32)


def _padding(size: int, span: int, stride: int) -> tuple[int, int]:
    """Returns what TensorFlow's SAME adds before and after."""
    total = max((-(-size // stride) - 1) * stride + span - size, 0)
    return total // 2, total - total // 2
