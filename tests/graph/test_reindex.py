import numpy as np
import pytest
import tf_keras
from graphs import branches, images, random_orders, relative_error, reordered
from hypothesis import given, settings
from hypothesis import strategies as st

from tfmot_onexn.graph import reindex, tracing
from tfmot_onexn.networks.random_weights import randomize

MODELS = {
    "branches": branches,
    **{
        name: lambda name=name: getattr(tf_keras.applications, name)(
            (32, 32, 3), weights=None, classifier_activation=None
        )
        for name in ("MobileNetV2", "MobileNetV3Small")
    },
}


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", MODELS)
def test_random_orders_of_every_free_group_keep_the_outputs(name):
    model = randomize(MODELS[name]())
    orders = random_orders(model)
    moved = reordered(model, orders)
    x = images(model)
    expected = model(x)
    assert relative_error(moved(x), expected) <= 1e-11

    # the same check sees any one axis left behind
    for member in max(orders, key=lambda group: len(group.members)).members:
        layer, weight = member.axis.layer, member.axis.weight
        if weight is not None:
            twin = moved.get_layer(layer.name).weights[weight]
            right = twin.numpy()
            twin.assign(layer.weights[weight])
            assert relative_error(moved(x), expected) > 1e-4, (layer.name, weight)
            twin.assign(right)


def test_orders_compose_and_invert():
    model = randomize(branches())
    first = random_orders(model, seed=1)
    once = reordered(model, first)
    second = random_orders(once, seed=2)
    twice = reordered(once, second)

    groups = tracing.trace(model).groups
    composed = reordered(
        model,
        {
            group: a[b]
            for (group, a), b in zip(first.items(), second.values(), strict=True)
        },
    )
    for expected, actual in zip(twice.weights, composed.weights, strict=True):
        np.testing.assert_array_equal(actual, expected)

    inverse = {
        group: np.argsort(order)
        for group, order in zip(random_orders(once), first.values(), strict=True)
    }
    back = reordered(once, inverse)
    for expected, actual in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(actual, expected)
    assert len(groups) > len(first)


@settings(max_examples=30)
@given(st.integers(1, 4), st.integers(1, 8), st.data())
def test_axis_index_takes_and_drops_by_channel(repeats, size, data):
    places = data.draw(st.permutations(range(repeats * size)))
    positions = np.sort(np.array(places).reshape(repeats, size), axis=0)
    index = np.array(data.draw(st.permutations(range(size))))
    index = index[: data.draw(st.integers(1, size))]
    take = reindex.axis_index(repeats * size, [(positions, index)])
    channel_at = np.empty(repeats * size, int)
    channel_at[positions] = np.arange(size)
    assert take.size == repeats * index.size
    assert sorted(channel_at[take]) == sorted(index.tolist() * repeats)


def test_indices_that_do_not_fit_are_refused():
    groups = tracing.trace(branches()).groups
    pinned = next(g for g in groups if g.pinned and g.producers)
    free = next(g for g in groups if not g.pinned)
    with pytest.raises(ValueError, match="must stay in place"):
        reindex.reindexed_weights({pinned: np.arange(pinned.size)})
    for index in ([0, 0], [], list(range(free.size + 1))):
        with pytest.raises(ValueError, match="at least one channel and none twice"):
            reindex.reindexed_weights({free: np.array(index, int)})
