import tf_keras
from graphs import group_of
from tf_keras import layers

from tfmot_onexn.graph import rules, tracing


class Shuffle(layers.Layer):
    def call(self, inputs):
        return inputs[..., ::-1]


class Standardized(layers.Conv2D):
    def convolution_op(self, inputs, kernel):
        return super().convolution_op(inputs, kernel - 1.0)


class Renamed(layers.Conv2D):
    pass


def test_an_unknown_layer_pins_its_group_and_is_named():
    image = layers.Input((4, 4, 3))
    x = layers.Conv2D(8, 1, name="before")(image)
    x = Shuffle(name="shuffle")(x)
    x = layers.Conv2D(8, 1, name="between")(x)
    x = layers.Conv2D(8, 1, activation=lambda t: t[..., ::-1], name="odd")(x)
    x = Standardized(8, 1, name="other_arithmetic")(x)
    x = Renamed(8, 1, name="subclass")(x)
    model = tf_keras.Model(image, layers.Conv2D(2, 1)(x))
    graph = tracing.trace(model)
    free = {layer.name for g in graph.groups if not g.pinned for layer in g.producers}
    assert free == {"between", "subclass"}
    listed = "\n".join(graph.untraced)
    assert "shuffle (Shuffle): no rule for this kind of layer" in listed
    assert "odd has the activation <lambda>, which may mix channels" in listed
    assert "other_arithmetic (Standardized)" in listed
    assert "shuffle" in group_of(graph, "before").pinned[0]


def test_rules_hold_for_subclasses_that_compute_the_same():
    assert rules.rule_for(Renamed(2, 1)) is rules.rule_for(layers.Conv2D(2, 1))
    assert rules.rule_for(Standardized(2, 1)) is None
    assert rules.rule_for(Shuffle()) is None


def test_every_rule_says_what_it_does():
    for function in set(rules.RULES.values()):
        assert function.__doc__.strip().endswith(".")
