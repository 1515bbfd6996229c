"""The verdicts were measured: LiteRT 2.3.0 under qemu, as arm64 (Cortex-A76) and as x86
without AVX (Nehalem), the sparse file against the dense one of the same network. "off":
the results are equal to the bit; "on": they differ by rounding, up to 2e-6; "broken":
they differ by 0.1 or more, have another shape, or the file does not load.
"""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from sparse_networks import body, pool, pruned
from tf_keras import layers

from tfmot_onexn.tflite import convert, flatbuffer, kernels, sparse_inference
from tfmot_onexn.tflite.sparse_inference import State

# converting these networks warns of what is tested here
pytestmark = pytest.mark.filterwarnings("ignore:.* cannot run:UserWarning")


def gate(x, keepdims=True):
    scale = layers.GlobalAveragePooling2D(keepdims=keepdims)(x)
    if not keepdims:
        scale = layers.Reshape((1, 1, 16))(layers.Dense(16)(scale))
    return layers.Multiply()([x, layers.Activation("sigmoid")(scale)])


def strided(x):
    return layers.DepthwiseConv2D(3, 2, "same")(x)


def strided_with_padding(x):
    return layers.DepthwiseConv2D(3, 2)(layers.ZeroPadding2D(1)(x))


def less_its_relu(x):
    return layers.Subtract()([x, layers.ReLU()(x)])


def classified(x, units=10, keepdims=False):
    x = layers.GlobalAveragePooling2D(keepdims=keepdims)(x)
    return layers.Dense(units)(x)


def convolved_head(x):
    x = layers.GlobalAveragePooling2D(keepdims=True)(x)
    return layers.Reshape((10,))(layers.Conv2D(10, 1)(x))


def two_pools(x):
    return layers.Concatenate()([pool(x), layers.GlobalAveragePooling2D()(x)])


NETWORKS = {
    "plain": (body, "on"),
    "classifier": (lambda: body(head=classified), "on"),
    "dense classifier": (lambda: body(head=lambda x: classified(x, 1000)), "on"),
    "two pools": (lambda: body(head=two_pools), "on"),
    "residual": (lambda: body(lambda x: layers.Add()([x, layers.ReLU()(x)])), "on"),
    "gate": (lambda: body(gate), "on"),
    "strides, padded": (lambda: body(strided_with_padding), "on"),
    "5x5": (lambda: body(layers.DepthwiseConv2D(5, padding="same")), "on"),
    "bilinear": (lambda: body(layers.UpSampling2D(interpolation="bilinear")), "on"),
    "hard swish": (
        lambda: body(lambda x: x * tf.nn.relu6(x + 3.0) * (1 / 6)),
        "on",
    ),
    "gelu": (lambda: body(layers.Activation("gelu")), "on"),
    "Keras padding": (lambda: body(padded=False), "off"),
    "one channel": (lambda: body(channels=1), "off"),
    "no pool": (lambda: body(head=lambda x: x), "off"),
    "largest": (lambda: body(head=layers.GlobalMaxPooling2D()), "off"),
    "flat": (lambda: body(head=layers.Flatten()), "off"),
    "read beside": (lambda: body(less_its_relu), "off"),
    "gate of rows": (lambda: body(lambda x: gate(x, keepdims=False)), "off"),
    "dilated": (
        lambda: body(layers.DepthwiseConv2D(3, padding="same", dilation_rate=2)),
        "off",
    ),
    "kept axes": (
        lambda: body(head=lambda x: layers.GlobalAveragePooling2D(keepdims=True)(x)),
        "broken",
    ),
    "kept axes, classifier": (
        lambda: body(head=lambda x: classified(x, keepdims=True)),
        "broken",
    ),
    "convolution on top": (lambda: body(head=convolved_head), "broken"),
    "3x3": (lambda: body(layers.Conv2D(16, 3, padding="same")), "broken"),
    "7x7": (lambda: body(layers.DepthwiseConv2D(7, padding="same")), "broken"),
    "Keras padding inside": (lambda: body(strided), "broken"),
    "odd size": (lambda: body(strided_with_padding, size=30), "broken"),
    "multiplier": (
        lambda: body(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)),
        "broken",
    ),
    "strides of 1x1": (lambda: body(layers.Conv2D(16, 1, 2)), "broken"),
    "groups of 1x1": (lambda: body(layers.Conv2D(16, 1, groups=4)), "broken"),
    "padding of 1x1": (lambda: body(layers.ZeroPadding2D(1)), "broken"),
    "max pooling": (lambda: body(layers.MaxPooling2D()), "broken"),
    "average pooling": (lambda: body(layers.AveragePooling2D()), "broken"),
    "concatenation": (lambda: body(lambda x: layers.Concatenate()([x, x])), "broken"),
    "prelu": (lambda: body(layers.PReLU(shared_axes=[1, 2])), "broken"),
    "scale": (
        lambda: body(lambda x: layers.BatchNormalization()(layers.ReLU()(x))),
        "broken",
    ),
}


def converted(model, **kwargs):
    return flatbuffer.read(convert.convert_to_tflite(model, **kwargs))


def followed(model):
    zeros_of = {
        place.tensor: (int((kernel.kernel == 0).sum()), kernel.kernel.size)
        for kernel in kernels.read(model)
        for place in kernel.places
    }
    return sparse_inference.follow(model, model.subgraphs[0], zeros_of)


def verdict(inference):
    if State.SPARSE not in inference.states.values():
        return "off"
    return "broken" if inference.leaks or inference.reshaped else "on"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_verdict_is_what_litert_does(name):
    build, measured = NETWORKS[name]
    assert verdict(followed(converted(pruned(build())))) == measured


def state_of(model, layer):
    """Returns what becomes of a layer, by its name in Keras."""
    kernel = next(k for k in kernels.read(model) if k.name == layer)
    return followed(model).states[kernel.places[0].operator]


@pytest.mark.parametrize(
    ("build", "layer", "state"),
    [
        (body, "expand", State.SPARSE),
        (body, "stem", State.SPARSE),
        (lambda: body(head=classified), "dense", State.APART),
        (lambda: body(padded=False), "stem", State.APART),
        (lambda: body(padded=False), "last", State.NOT_FROM_START),
        (lambda: body(less_its_relu), "expand", State.READ_OUTSIDE),
        (lambda: body(head=layers.Flatten()), "expand", State.NO_END),
        (lambda: body(layers.MaxPooling2D()), "expand", State.SPARSE),
        (lambda: body(layers.MaxPooling2D()), "last", State.NOT_FROM_START),
    ],
)
def test_the_state_tells_why(build, layer, state):
    model = pruned(build())
    for kept in model.layers:
        if isinstance(kept, layers.Dense):
            kept._name = "dense"
    assert state_of(converted(model), layer) is state


@pytest.mark.parametrize(("sparsity", "on"), [(0.6, False), (0.66, False), (0.7, True)])
def test_more_than_two_thirds_must_be_zero(sparsity, on):
    model = converted(pruned(body(), sparsity))
    inference = followed(model)
    assert (State.SPARSE in inference.states.values()) is on
    assert (State.FEW_ZEROS in inference.states.values()) is not on
    expand = next(k for k in kernels.read(model) if k.name == "expand")
    assert inference.zeros[expand.places[0].operator] == pytest.approx(
        sparsity, abs=0.01
    )


def test_exactly_two_thirds_are_not_enough():
    model = body()
    for name in ("expand", "project", "last"):
        layer = model.get_layer(name)
        weights = layer.get_weights()
        # 1024 weights do not divide by 3: of all three kernels 2048 of 3072 are zero
        weights[0][:] = 1
        zeros = {"expand": 680, "project": 684, "last": 684}[name]
        weights[0].reshape(-1)[:zeros] = 0
        layer.set_weights(weights)
    assert State.SPARSE not in followed(converted(model)).states.values()
    weights = model.get_layer("last").get_weights()
    weights[0].reshape(-1)[684] = 0
    model.get_layer("last").set_weights(weights)
    assert State.SPARSE in followed(converted(model)).states.values()


def test_half_precision_is_followed_to_the_kernels():
    model = converted(pruned(body()), float16=True)
    assert verdict(followed(model)) == "on"
    assert state_of(model, "expand") is State.SPARSE


def test_the_leak_is_the_operator_before():
    model = converted(pruned(body(layers.MaxPooling2D())))
    graph = model.subgraphs[0]
    (leak,) = followed(model).leaks
    project = next(k for k in kernels.read(model) if k.name == "project")
    assert leak == project.places[0].operator
    model = converted(pruned(body(head=layers.GlobalAveragePooling2D(keepdims=True))))
    (reshaped,) = followed(model).reshaped
    operator = model.subgraphs[0].operators[reshaped]
    assert flatbuffer.operator_name(flatbuffer.operator_of(model, operator)) == "MEAN"
    assert len(graph.operators) > leak


def test_a_second_output_leaks():
    model = body()
    features = model.get_layer("project").output
    model = tf_keras.Model(model.input, [model.output, features])
    inference = followed(converted(pruned(model)))
    assert verdict(inference) == "broken"


def test_an_operator_that_xnnpack_does_not_take_cuts_the_graph():
    inference = followed(converted(pruned(body(lambda x: tf.math.cumsum(x, axis=1)))))
    assert verdict(inference) == "off"


def test_a_graph_of_circles_comes_to_an_end():
    model = converted(pruned(body()))
    graph = model.subgraphs[0]
    last = graph.operators[-1].outputs[0]
    graph.operators[0].inputs = np.array([last, *graph.operators[0].inputs[1:]])
    assert followed(model).states == {}
