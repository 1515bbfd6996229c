"""Channel groups: the weight axes of a Keras graph that must share one order.

`trace` follows every channel from the layer that makes it to all that read it. Each
position on the last axis of a tensor carries a channel number; a residual add ties
the numbers of its operands, a layer that cannot be followed pins those it touches.
Channels that meet the same weight axes form a group: any order of a group that is not
pinned, applied to all its axes at once, keeps what the graph computes.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse
import tf_keras
from scipy.sparse.csgraph import connected_components

# Why the channels at a model's ends stay in place.
MODEL_INPUT = "is an input of the model"
MODEL_OUTPUT = "is an output of the model"
MODEL_FEATURES = "is a feature map that the model returns"

# What a weight axis does to the channels on it.
OUTPUT = "output"  # a kernel makes them
INPUT = "input"  # a kernel reads them
DEPTHWISE = "depthwise"  # a kernel filters each by itself
BIAS = "bias"  # added to them, as the beta of a BatchNormalization
SCALE = "scale"  # the gamma of a BatchNormalization
MEAN = "mean"
VARIANCE = "variance"
ELEMENTWISE = "elementwise"  # treats each by a weight of its own
SETTING = "setting"  # a layer setting tells their number; there is no weight


@dataclasses.dataclass(frozen=True, eq=False)
class WeightAxis:
    """One axis of one weight of a layer.

    Attributes:
      layer: the layer that owns the weight, never a pruning wrapper.
      weight: index into ``layer.weights``; None for the role `SETTING`.
      axis: the axis of the weight, from 0.
      role: what the axis does, one of the constants above.
      channels: channel number of each position ``[length]``.
    """

    layer: tf_keras.layers.Layer
    weight: int | None
    axis: int
    role: str
    channels: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Member:
    """Where a group's channels stand on a weight axis.

    Attributes:
      axis: the weight axis.
      positions: ``[repeats, size]``; column c holds the positions of channel c, more
        than one where the axis repeats it, as a Dense layer after Flatten does.
    """

    axis: WeightAxis
    positions: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Channels that must share one order.

    Attributes:
      size: number of channels.
      members: the weight axes that carry them.
      pinned: why the order must stay, empty where it is free.
      kept: why no channel can be removed although the order is free, empty if they can.
    """

    size: int
    members: tuple[Member, ...]
    pinned: tuple[str, ...]
    kept: tuple[str, ...]

    def members_as(self, role: str) -> list[Member]:
        """Returns the members with a role."""
        return [member for member in self.members if member.axis.role == role]

    @property
    def reads_model_input(self) -> bool:
        """Whether the channels enter the model."""
        return MODEL_INPUT in self.pinned

    @property
    def makes_model_output(self) -> bool:
        """Whether the channels leave the model as one vector per image."""
        return MODEL_OUTPUT in self.pinned

    @property
    def producers(self) -> list[tf_keras.layers.Layer]:
        """The layers whose kernels make the channels."""
        return [member.axis.layer for member in self.members_as(OUTPUT)]


@dataclasses.dataclass(frozen=True, eq=False)
class ChannelGraph:
    """What `trace` found.

    Attributes:
      groups: all channel groups, in graph order.
      axes: all weight axes; a group's members point into them.
      untraced: a line for each layer that could not be followed.
    """

    groups: tuple[ChannelGroup, ...]
    axes: tuple[WeightAxis, ...]
    untraced: tuple[str, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Channels:
    """The channels of one tensor during a trace.

    Attributes:
      numbers: channel number of each position on the last axis ``[length]``.
      shape: the tensor's static shape, batch axis included.
      zero: whether a channel whose filters are removed is zero here.
    """

    numbers: np.ndarray
    shape: tuple[int | None, ...]
    zero: bool


class Trace:
    """What the rules of `rules` write down while a graph is walked."""

    def __init__(self) -> None:
        self.untraced: list[str] = []
        self._axes: dict[tuple[int, int | None, int], WeightAxis] = {}
        self._made: dict[int, np.ndarray] = {}
        self._ties: list[tuple[np.ndarray, np.ndarray]] = []
        self._pins: list[tuple[np.ndarray, str]] = []
        self._keeps: list[tuple[np.ndarray, str]] = []
        self._parts: list[np.ndarray] = []
        self._count = 0

    def new_channels(self, count: int) -> np.ndarray:
        """Returns fresh channel numbers ``[count]``."""
        numbers = np.arange(self._count, self._count + count)
        self._count += count
        return numbers

    def made_by(self, layer: tf_keras.layers.Layer, count: int) -> np.ndarray:
        """Returns the channels that a layer makes, the same at each of its calls."""
        if id(layer) not in self._made:
            self._made[id(layer)] = self.new_channels(count)
        return self._made[id(layer)]

    def attach(
        self,
        layer: tf_keras.layers.Layer,
        variable,
        axis: int,
        role: str,
        channels: np.ndarray,
    ) -> None:
        """Notes that an axis of a layer's weight carries these channels.

        ``variable`` is None for the role `SETTING`.
        """
        weight = None
        if variable is not None:
            weight = next(i for i, w in enumerate(layer.weights) if w is variable)
        key = (id(layer), weight, axis)
        if key in self._axes:
            self.tie(self._axes[key].channels, channels)
        else:
            self._axes[key] = WeightAxis(layer, weight, axis, role, channels)

    def tie(self, first: np.ndarray, second: np.ndarray) -> None:
        """Demands that two sequences of channels share one order."""
        self._ties.append((first, second))

    def pin(self, channels: np.ndarray, reason: str) -> None:
        """Demands that channels stay in place."""
        self._pins.append((channels, reason))

    def keep(self, channels: np.ndarray, reason: str) -> None:
        """Demands that no channel is removed; a new order is fine."""
        self._keeps.append((channels, reason))

    def separate(self, channels: np.ndarray) -> None:
        """Demands that these channels stay among themselves, in any order."""
        self._parts.append(channels)

    def finish(self) -> ChannelGraph:
        """Divides the channels into groups."""
        axes = tuple(self._axes.values())
        label_of = self._labels()
        part_of = _refine(
            np.zeros(label_of.max(initial=-1) + 1, np.int64),
            [
                label_of[channels]
                for channels in (*(axis.channels for axis in axes), *self._parts)
            ],
        )
        pinned = _reasons(self._pins, label_of, part_of)
        kept = _reasons(self._keeps, label_of, part_of)
        groups = _members_of_parts(axes, label_of, part_of)
        return ChannelGraph(
            groups=tuple(
                ChannelGroup(
                    size=members[0].positions.shape[1],
                    members=tuple(members),
                    pinned=tuple(pinned.get(part, ())),
                    kept=tuple(kept.get(part, ())),
                )
                for part, members in groups.items()
            ),
            axes=axes,
            untraced=tuple(self.untraced),
        )

    def _labels(self) -> np.ndarray:
        """Returns one label per channel number, equal where channels are tied."""
        if not self._ties:
            return np.arange(self._count)
        first = np.concatenate([tie[0] for tie in self._ties])
        second = np.concatenate([tie[1] for tie in self._ties])
        edges = scipy.sparse.coo_array(
            (np.ones(first.size, bool), (first, second)), (self._count, self._count)
        )
        return connected_components(edges, directed=False)[1]


def _refine(part_of: np.ndarray, label_lists: Sequence[np.ndarray]) -> np.ndarray:
    """Divides labels until all of a part occur equally often in every list."""
    part_of = part_of.copy()
    next_part = int(part_of.max(initial=-1)) + 1
    for labels in label_lists:
        present, counts = np.unique(labels, return_counts=True)
        keys = np.stack([part_of[present], counts], axis=1)
        _, new_parts = np.unique(keys, axis=0, return_inverse=True)
        part_of[present] = next_part + new_parts.ravel()
        next_part = int(part_of.max(initial=-1)) + 1
    return part_of


def _reasons(
    noted: Iterable[tuple[np.ndarray, str]], label_of: np.ndarray, part_of: np.ndarray
) -> dict[int, list[str]]:
    """Collects for each part the reasons that touch one of its channels."""
    reasons: dict[int, list[str]] = {}
    for channels, reason in noted:
        for part in np.unique(part_of[label_of[channels]]):
            of_part = reasons.setdefault(int(part), [])
            if reason not in of_part:
                of_part.append(reason)
    return reasons


def _members_of_parts(
    axes: Sequence[WeightAxis], label_of: np.ndarray, part_of: np.ndarray
) -> dict[int, list[Member]]:
    """Returns the members of each part; the first axis met sets the channels' order."""
    rank_of = np.full(part_of.size, -1)
    groups: dict[int, list[Member]] = {}
    for axis in axes:
        labels = label_of[axis.channels]
        parts = part_of[labels]
        for part in dict.fromkeys(parts.tolist()):
            positions = np.flatnonzero(parts == part)
            here = labels[positions]
            distinct, first_at = np.unique(here, return_index=True)
            if part not in groups:
                rank_of[here[np.sort(first_at)]] = np.arange(distinct.size)
                groups[part] = []
            by_channel = np.argsort(rank_of[here], kind="stable")
            table = positions[by_channel].reshape(distinct.size, -1).T
            groups[part].append(Member(axis, table))
    return groups
