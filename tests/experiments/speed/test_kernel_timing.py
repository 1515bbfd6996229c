import numpy as np
import pytest
import tf_keras

from tfmot_onexn.experiments.speed import kernel_timing
from tfmot_onexn.experiments.speed.kernel_timing import Spread


def test_spreads():
    spread = Spread.of(np.arange(11.0))
    assert (spread.p10, spread.median, spread.p90) == (1, 5, 9)


def test_things_take_turns_of_a_millisecond():
    asked = []

    def timed(name, seconds):
        def run(runs):
            asked.append((name, runs))
            return np.full(runs, seconds)

        return run

    rounds = []
    things = {"slow": timed("slow", 2e-3), "fast": timed("fast", 1e-4)}
    found = kernel_timing.take_turns(
        things, 3, np.random.default_rng(0), lambda: rounds.append(len(asked))
    )
    assert found["slow"].tolist() == [2e-3] * 3
    assert found["fast"].tolist() == [1e-4] * 3
    # two runs tell how many fit; one more than that warms up
    assert asked[:2] == [("slow", 2), ("fast", 2)]
    assert sorted(asked[2:]) == [*[("fast", 11)] * 3, *[("slow", 2)] * 3]
    assert rounds == [2, 4, 6]


def test_a_layer_in_litert_computes_what_keras_does():
    images = np.random.default_rng(0).normal(size=(1, 5, 4, 3)).astype(np.float32)
    layer = tf_keras.layers.Conv2D(7, 1, 2, activation="relu6")
    loaded = kernel_timing.in_litert(layer, images)
    kernel_timing.require_equal(loaded(), layer(images).numpy(), "LiteRT")
    assert loaded().max() > 0
    assert (loaded.seconds(3) > 0).all()


def test_what_differs_is_refused():
    values = np.ones(3)
    kernel_timing.require_equal(values, values, "It")
    for wrong in (values + 1e-4, np.array([1.0, 1.0, np.nan])):
        with pytest.raises(ValueError, match=r"^It is .* off; expected 1e-05 at most"):
            kernel_timing.require_equal(wrong, values, "It")
