"""Follows XNNPACK where it decides which layers run sparse.

XNNPACK multiplies sparse kernels only on feature maps with channels first. It joins the
operators that can work so into clusters, and turns a cluster over if

* it begins with the first convolution and goes on with operators of this kind only,
* nothing else reads the feature maps inside it,
* a mean or a depth-to-space ends it somewhere,
* more than two thirds of its 1x1 weights are zero.

(XNNPACK, src/subgraph.c, `xnn_subgraph_rewrite_for_nchw`; x86 with AVX skips it.) It
does not ask whether *every* end of a cluster is such a mean. Where one is not, the next
operator takes channels first for channels last: the results are wrong, or the
interpreter refuses the file. `follow` finds these places too. The tests hold it to what
LiteRT 2.3 did on arm64 and on x86 without AVX.
"""

import collections
import dataclasses
import enum
from collections.abc import Iterator
from typing import Any

import numpy as np

from tfmot_onexn.tflite import channels_first
from tfmot_onexn.tflite.channels_first import Node, Role


class State(enum.Enum):
    """What becomes of an operator."""

    APART = "cannot work channels first"
    NOT_FROM_START = "follows an operator that cannot work channels first"
    READ_OUTSIDE = "a feature map of its cluster has another reader"
    NO_END = "its part of the network has no mean"
    FEW_ZEROS = "its cluster has too few zeros"
    SPARSE = "runs sparse"


@dataclasses.dataclass(frozen=True)
class Inference:
    """What XNNPACK does with a graph that has a sparse tensor.

    Attributes:
      states: of each operator, by its index.
      zeros: share of zeros among the 1x1 weights around an operator, by its index.
      leaks: operators whose result has its channels first where the next one expects
        them last.
      reshaped: means with ``keep_dims`` whose result gets the wrong shape.
      blockers: operators behind which sparse inference cannot go on, or that it cannot
        begin at.
    """

    states: dict[int, State]
    zeros: dict[int, float]
    leaks: tuple[int, ...]
    reshaped: tuple[int, ...]
    blockers: tuple[int, ...]

    @property
    def is_broken(self) -> bool:
        """Whether the results are wrong or the file is refused."""
        return bool(self.leaks or self.reshaped)


def follow(model: Any, graph: Any, zeros_of: dict[int, tuple[int, int]]) -> Inference:
    """Finds what XNNPACK runs sparse in a subgraph, on processors where it does so.

    Args:
      model: a ``ModelT`` that `validation` accepts.
      graph: one of its subgraphs.
      zeros_of: number of zeros and of weights of each 1x1 kernel, by the tensor that
        its layer reads.
    """
    states: dict[int, State] = {}
    zeros: dict[int, float] = {}
    leaks: list[int] = []
    reshaped: list[int] = []
    blockers: set[int] = set()
    nodes = channels_first.Reader(model, graph).nodes()
    outputs = {int(tensor) for tensor in graph.outputs}
    for part in _parts(nodes):
        inside = set(map(id, part))
        external = outputs | {t for n in nodes if id(n) not in inside for t in n.inputs}
        found = _Clusters(part, external, zeros_of)
        states.update(found.states())
        zeros.update(found.zeros)
        leaks += [n.index for n in found.ends() if Role.LEAVES not in n.role]
        reshaped += [n.index for n in found.ends() if n.keep_dims]
        blockers |= found.blockers
    return Inference(
        states, zeros, tuple(leaks), tuple(reshaped), tuple(sorted(blockers))
    )


def _parts(nodes: list[Node]) -> Iterator[list[Node]]:
    """Yields what XNNPACK gets at once: those it takes, as far as they are ready."""
    waiting = list(nodes)
    while waiting:
        made = {tensor for node in waiting for tensor in node.outputs}
        part: list[Node] = []
        kind: bool | None = None
        for node in waiting:
            if made.isdisjoint(node.inputs) and kind in (None, node.delegated):
                kind = node.delegated
                made.difference_update(node.outputs)
                part.append(node)
        if not part:
            return  # a circle, which no runtime computes
        if kind:
            yield part
        taken = set(map(id, part))
        waiting = [node for node in waiting if id(node) not in taken]


class _Clusters:
    """The clusters of one part of a graph. A cluster goes by its last node's place."""

    def __init__(self, nodes: list[Node], external: set[int], zeros_of):
        self._nodes = nodes
        self._external = external
        self._producer = {t: place for place, n in enumerate(nodes) for t in n.outputs}
        self._leader = list(range(len(nodes)))
        self._fault: list[State | None] = [None] * len(nodes)
        self.zeros: dict[int, float] = {}
        self.blockers: set[int] = set()
        if self._join(Role.LEAVES):
            while self._join(Role.STAYS | Role.LEAVES):
                pass
            for place, leader in enumerate(self._leader):
                self._fault[leader] = self._fault[leader] or self._fault[place]
            self._check_readers()
        else:
            self._fault = [fault or State.NO_END for fault in self._fault]
        self._check_zeros(zeros_of)

    def _join(self, roles: Role) -> bool:
        """Joins nodes of some roles with their producers; returns whether any moved."""
        moved = False
        for place, node in enumerate(self._nodes):
            if self._fault[place] or not node.role & roles:
                continue
            for tensor in node.inputs:
                producer = self._producer.get(tensor)
                if (
                    tensor in self._external
                    or producer is None
                    or self._fault[producer]
                    or not self._nodes[producer].role & (Role.ENTERS | Role.STAYS)
                ):
                    self._fault[place] = State.NOT_FROM_START
                    if producer is None:
                        self.blockers.add(node.index)
                    elif not self._fault[producer]:
                        self.blockers.add(self._nodes[producer].index)
                elif self._leader[producer] != self._leader[place]:
                    last = max(self._leader[producer], self._leader[place])
                    self._leader[producer] = self._leader[place] = last
                    moved = True
        return moved

    def _sound(self) -> list[tuple[int, Node]]:
        """Returns the nodes that read channels first in clusters without a fault."""
        return [
            (place, node)
            for place, node in enumerate(self._nodes)
            if node.role & (Role.STAYS | Role.LEAVES)
            and not self._fault[self._leader[place]]
        ]

    def _check_readers(self) -> None:
        sound = self._sound()
        reads = collections.Counter(t for node in self._nodes for t in node.inputs)
        reads.update(self._external)
        inside = collections.Counter(t for _, node in sound for t in node.inputs)
        for place, node in sound:
            if any(inside[tensor] != reads[tensor] for tensor in node.inputs):
                self._fault[self._leader[place]] = State.READ_OUTSIDE

    def _check_zeros(self, zeros_of: dict[int, tuple[int, int]]) -> None:
        counts = np.zeros((len(self._nodes), 2), np.int64)
        for place, node in enumerate(self._nodes):
            if node.pointwise in zeros_of:
                counts[self._leader[place]] += zeros_of[node.pointwise]
        for place, node in enumerate(self._nodes):
            zero, weights = (int(count) for count in counts[self._leader[place]])
            if weights:
                self.zeros[node.index] = zero / weights
            if place == self._leader[place] and zero * 3 <= weights * 2:
                self._fault[place] = self._fault[place] or State.FEW_ZEROS

    def states(self) -> dict[int, State]:
        """Returns what becomes of each node, by its index."""
        return {
            node.index: State.APART
            if not node.role
            else self._fault[place] or self._fault[self._leader[place]] or State.SPARSE
            for place, node in enumerate(self._nodes)
        }

    def ends(self) -> list[Node]:
        """Returns the nodes of switched clusters whose result nobody reads switched."""
        sound = self._sound()
        switched = {tensor for _, node in sound for tensor in node.inputs}
        return [node for _, node in sound if switched.isdisjoint(node.outputs)]
