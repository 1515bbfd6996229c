import pytest
import tensorflow as tf
import tf_keras
from graphs import small_network
from tf_keras import layers

from tfmot_onexn.graph import macs
from tfmot_onexn.pruning import policy, prune


def by_name(model):
    names = {id(weight): weight.path_name for weight in _named(model)}
    return {names[key]: use for key, use in macs.uses(model).items() if key in names}


def _named(model):
    for weight in model.weights:
        weight.path_name = weight.name.split(":")[0]
        yield weight


def counts(model):
    return {name: use.macs for name, use in by_name(model).items()}


def model_of(*chain, shape):
    x = image = layers.Input(shape)
    for layer in chain:
        x = layer(x)
    return tf_keras.Model(image, x)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (layers.Conv2D(5, (3, 2), name="c"), (8, 9, 4), 6 * 8 * (3 * 2 * 4 * 5)),
        (layers.Conv2D(5, 3, 2, name="c"), (8, 9, 4), 3 * 4 * (9 * 4 * 5)),
        (layers.Conv2D(6, 3, groups=2, name="c"), (8, 8, 4), 36 * (9 * 2 * 6)),
        (layers.Conv1D(5, 3, name="c"), (9, 4), 7 * (3 * 4 * 5)),
        (layers.Conv3D(2, 3, name="c"), (5, 6, 7, 4), 3 * 4 * 5 * (27 * 4 * 2)),
        (layers.Conv2DTranspose(5, 3, 2, name="c"), (4, 5, 3), 20 * (9 * 3 * 5)),
        (layers.Conv1DTranspose(5, 3, 2, name="c"), (4, 3), 4 * (3 * 3 * 5)),
        (layers.Conv3DTranspose(5, 3, name="c"), (2, 3, 4, 3), 24 * (27 * 3 * 5)),
        (layers.Dense(5, name="c"), (4,), 4 * 5),
        (layers.Dense(5, name="c"), (6, 7, 4), 6 * 7 * 4 * 5),
        (layers.EinsumDense("abc,cd->abd", (6, 5), name="c"), (6, 4), 6 * 4 * 5),
    ],
)
def test_a_kernel_counts_at_every_position(layer, shape, expected):
    assert counts(model_of(layer, shape=shape))["c/kernel"] == expected


def test_both_kernels_of_a_separable_convolution_count():
    layer = layers.SeparableConv2D(5, 3, depth_multiplier=2, name="c")
    assert counts(model_of(layer, shape=(8, 8, 3))) == {
        "c/depthwise_kernel": 36 * 9 * 6,
        "c/pointwise_kernel": 36 * 6 * 5,
    }


def test_tensorflows_own_profiler_agrees():
    """It counts two operations per multiply-accumulate, and for biases one."""
    model = tf_keras.applications.MobileNetV2(
        input_shape=(64, 64, 3), alpha=0.35, weights=None
    )
    concrete = tf.function(lambda x: model(x, training=False)).get_concrete_function(
        tf.TensorSpec((1, 64, 64, 3))
    )
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    options["account_type_regexes"] = ["Conv2D", "DepthwiseConv2dNative", "MatMul"]
    profile = tf.compat.v1.profiler.profile(concrete.graph, options=options)
    assert 2 * sum(counts(model).values()) == profile.total_float_ops


def test_each_call_of_a_shared_layer_counts_at_its_own_size():
    shared = layers.Conv2D(4, 1, name="shared")
    model = model_of(shared, layers.MaxPooling2D(), shared, shape=(8, 8, 4))
    assert counts(model) == {"shared/kernel": (64 + 16) * 16}


def test_models_inside_count_at_the_size_they_are_called_on():
    inner = model_of(layers.Conv2D(4, 1, name="inside"), shape=(None, None, 4))
    assert counts(inner) == {"inside/kernel": None}
    outer = model_of(inner, layers.MaxPooling2D(), inner, shape=(8, 8, 4))
    assert counts(outer) == {"inside/kernel": (64 + 16) * 16}


def test_weights_of_layers_of_ones_own_count():
    class Mixing(layers.Layer):
        def build(self, input_shape):
            self.mixer = self.add_weight("mixer", (input_shape[-1], 6))

        def call(self, inputs):
            return tf.matmul(inputs, self.mixer)

    assert counts(model_of(Mixing(name="own"), shape=(5, 4))) == {
        "own/mixer": 5 * 4 * 6
    }


def test_wrapping_and_mixed_precision_change_nothing():
    expected = counts(small_network())
    pruned = prune.prune_low_magnitude_1xN(
        small_network(), 4, pruning_policy=policy.PruneAll(), rearrange="none"
    )
    kernels = {id(w) for w in pruned.weights if "mask" not in w.name}
    found = [use.macs for key, use in macs.uses(pruned).items() if key in kernels]
    assert sorted(found) == sorted(expected.values())
    tf_keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        assert sorted(counts(small_network()).values()) == sorted(expected.values())
    finally:
        tf_keras.mixed_precision.set_global_policy(None)


def test_a_fixed_batch_counts_per_image():
    image = layers.Input((8, 8, 4), batch_size=3)
    model = tf_keras.Model(image, layers.Conv2D(5, 1, name="c")(image))
    assert counts(model) == {"c/kernel": 64 * 20}


def test_loops_and_embeddings_are_left_out():
    model = model_of(layers.Embedding(9, 4), layers.LSTM(3), shape=(5,))
    assert macs.uses(model) == {}


def test_a_model_that_was_never_built_tells_nothing():
    assert macs.uses(tf_keras.Sequential([layers.Dense(4)])) == {}


def test_a_subclassed_model_tells_once_it_was_called():
    class Own(tf_keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(3)

        def call(self, inputs):
            return self.dense(inputs)

    model = Own()
    assert macs.uses(model) == {}
    model(tf.zeros((2, 4)))
    assert [use.macs for use in macs.uses(model).values()] == [12]


@pytest.mark.parametrize(
    ("layer", "operator", "strided"),
    [
        (layers.Conv2D(4, 1), "Conv2D", False),
        (layers.Conv2D(4, 1, 2), "Conv2D", True),
        (layers.DepthwiseConv2D(3), "DepthwiseConv2dNative", False),
        (layers.Dense(4), "MatMul", False),
    ],
)
def test_the_operator_is_named(layer, operator, strided):
    (use,) = macs.uses(model_of(layer, shape=(8, 8, 4))).values()
    assert (use.operator, use.strided) == (operator, strided)
