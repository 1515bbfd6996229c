import tf_keras
from graphs import small_network

from tfmot_onexn.experiments import training_cost


def test_every_way_trains_and_is_timed(monkeypatch):
    def network():
        image = tf_keras.Input((96, 96, 3))
        x = tf_keras.layers.Conv2D(4, 9, strides=12)(image)
        x = small_network()(x[..., :3])
        return tf_keras.Model(image, tf_keras.layers.Dense(10, "softmax")(x))

    monkeypatch.setattr(training_cost, "_network", network)
    found = training_cost.measure(steps=4, turns=1)
    assert list(found) == list(training_cost.WAYS)
    for seconds in found.values():
        assert seconds.shape == (1, 4)
        assert (seconds > 0).all()
        # the first step traces the graph
        assert seconds[:, 0].min() > seconds[:, 2:].max()
