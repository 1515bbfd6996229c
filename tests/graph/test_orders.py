import numpy as np
import pytest
from graphs import branches

from tfmot_onexn.graph import orders, rearrange, reindex
from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.sparsity import permutation


@pytest.fixture(scope="module")
def model():
    return randomize(branches())


def _layers(group):
    return [layer for layer in group.producers if rearrange.pointwise(layer)]


def test_orders_are_those_of_the_search_and_make_the_rearranged_weights(model):
    found = orders.find_orders(model, 4, 0.5, prunable=rearrange.pointwise)
    assert found
    for group, order in found.items():
        kernels = orders.producing_kernels(group, rearrange.pointwise)
        np.testing.assert_array_equal(order, permutation.search(kernels, 4, 0.5))
    weights = rearrange.rearranged_weights(
        model, 4, 0.5, "swaps", prunable=rearrange.pointwise
    )
    for layer, expected in reindex.reindexed_weights(found).items():
        for array, of_order in zip(weights[layer], expected, strict=True):
            np.testing.assert_array_equal(array, of_order)


def test_layers_may_have_contributions_and_sparsities_of_their_own(model, rng):
    plain = orders.find_orders(model, 4, 0.5, prunable=rearrange.pointwise)
    group = max(plain, key=lambda g: g.size * (len(_layers(g)) == 1))
    (layer,) = _layers(group)
    of_layer = rng.random(layer.kernel.shape)
    found = orders.find_orders(
        model,
        4,
        0.5,
        prunable=rearrange.pointwise,
        contributions={layer: of_layer},
        sparsities={layer: 0.75},
    )
    kernels = orders.producing_kernels(group, rearrange.pointwise)
    (found_group,) = [g for g in found if layer in g.producers]
    np.testing.assert_array_equal(
        found[found_group],
        permutation.search(kernels, 4, 0.75, contributions=[of_layer]),
    )
    for other, order in found.items():
        if other is not found_group:
            (twin,) = [g for g in plain if set(g.producers) == set(other.producers)]
            np.testing.assert_array_equal(order, plain[twin])


def test_contributions_of_another_shape_name_the_layer(model):
    layer = next(layer for layer in model.layers if rearrange.pointwise(layer))
    with pytest.raises(ValueError, match=rf"'{layer.name}'.*\[3, 3\]"):
        orders.find_orders(
            model,
            4,
            0.5,
            prunable=rearrange.pointwise,
            contributions={layer: np.ones((3, 3))},
        )


def test_without_time_the_orders_are_sorted(model):
    hurried, sort = (
        orders.find_orders(
            model, 4, 0.5, method, prunable=rearrange.pointwise, seconds=seconds
        )
        for method, seconds in (("swaps", 0.0), ("l1", None))
    )
    for first, second in zip(hurried.values(), sort.values(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_time_is_shared_out_by_work(monkeypatch):
    monkeypatch.setattr(orders, "_num_workers", lambda: 2)
    monkeypatch.setattr(orders.time, "monotonic", lambda: 100.0)
    tasks = [_FakeTask(work) for work in (10, 20, 70)]
    budget = orders._Budget(tasks, 50.0)
    with budget.share(tasks[0]) as seconds:
        assert seconds == pytest.approx(10.0)
    with budget.share(tasks[1]) as second, budget.share(tasks[2]) as third:
        assert second == pytest.approx(2 * 50 * 20 / 90)
        assert third == 50.0
    with orders._Budget(tasks, None).share(tasks[0]) as unlimited:
        assert unlimited is None


class _FakeTask:
    def __init__(self, work):
        self.work = work
