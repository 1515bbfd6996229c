"""One layer between two convolutions: what its rule says, and whether it is true."""

import dataclasses

import pytest
from graphs import (
    group_of,
    images,
    random_orders,
    relative_error,
    reordered,
    sandwich,
    silence,
)

from tfmot_onexn.graph import shrink, tracing
from tfmot_onexn.networks.random_weights import randomize


@dataclasses.dataclass
class Verdict:
    """What the rule says of the channels before the layer."""

    pinned: tuple
    kept: tuple
    untraced: tuple
    size: int


@pytest.fixture
def verdict_on():
    """Traces a layer and proves the rule on random orders and removed channels."""

    def check(layer, rank=2, width=8):
        model = randomize(sandwich(layer, rank, width))
        x = images(model, 3)
        expected = model(x, training=False)
        orders = random_orders(model, seed=1)
        moved = reordered(model, orders)
        assert relative_error(moved(x, training=False), expected) <= 1e-5
        graph = tracing.trace(model)
        group = group_of(graph, "before") if before_is_one_group(graph) else None
        if silence(model):
            small = shrink.shrink_filters(model)
            assert small.count_params() < model.count_params()
            assert (
                relative_error(small(x, training=False), model(x, training=False))
                <= 1e-5
            )
            assert relative_error(small(x, training=False), expected) > 1e-2
        return Verdict(
            group.pinned if group else (),
            group.kept if group else (),
            graph.untraced,
            group.size if group else 0,
        )

    return check


def before_is_one_group(graph):
    made = [g for g in graph.groups if "before" in [p.name for p in g.producers]]
    return len(made) == 1


@pytest.fixture
def passes(verdict_on):
    """The channels before a layer are free, and can be removed."""

    def check(layer, rank=2):
        found = verdict_on(layer, rank)
        assert (found.pinned, found.kept, found.untraced) == ((), (), ())
        assert found.size == 8

    return check


@pytest.fixture
def moves_only(verdict_on):
    """The channels before a layer are free, but none can be removed."""

    def check(layer, rank=2):
        found = verdict_on(layer, rank)
        assert (found.pinned, found.untraced) == ((), ())
        assert found.kept
        return found

    return check


@pytest.fixture
def stays(verdict_on):
    """The channels before a layer stay in place."""

    def check(layer, rank=2):
        found = verdict_on(layer, rank)
        assert found.pinned
        return found

    return check
