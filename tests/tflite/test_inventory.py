import json

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
import tf_keras
from graphs import small_network
from sparse_networks import body
from sparse_networks import pruned as with_zeros
from tf_keras import layers

from tfmot_onexn.networks.random_weights import randomize
from tfmot_onexn.pruning import policy, prune
from tfmot_onexn.sparsity import masks
from tfmot_onexn.tflite import convert, flatbuffer, inventory

EVERYTHING = policy.PruneAll()
NAMES = ["stem", "expand", "depthwise", "project", "head", "classifier"]


@pytest.fixture(scope="module")
def pruned():
    model = randomize(small_network(width=3))
    return prune.prune_low_magnitude_1xN(
        model, 8, pruning_policy=EVERYTHING, rearrange="none"
    )


def by_name(found):
    return {layer.name: layer for layer in found.layers}


def as_bsr(kernel, n):
    """SciPy's blocks of a 1x1 or dense kernel, as a matrix of output channels."""
    matrix_oi = kernel.reshape(kernel.shape[-2:]).T
    return scipy.sparse.bsr_array(matrix_oi, blocksize=(n, 1))


@pytest.mark.parametrize("name", ["expand", "project", "head", "classifier"])
def test_each_column_is_what_scipy_and_numpy_count(pruned, name):
    layer = by_name(inventory.of_model(pruned))[name]
    wrapped = next(w for w in pruned.layers if getattr(w, "layer", w).name == name)
    kernel = wrapped.layer.kernel.numpy() * wrapped.pruning_vars[0][1].numpy()
    assert layer.kernel_shape == kernel.shape
    assert layer.size == kernel.size
    assert layer.n == (4 if name == "classifier" else 8)
    blocks = as_bsr(kernel, layer.n)
    assert layer.sparsity == pytest.approx(1 - np.count_nonzero(kernel) / kernel.size)
    assert layer.fill == pytest.approx(np.count_nonzero(kernel) / blocks.data.size)
    assert layer.l1 == pytest.approx(np.abs(kernel.astype(np.float64)).sum())
    positions = 1 if name == "classifier" else 16
    assert layer.macs == positions * kernel.size
    assert layer.nonzero_macs == positions * np.count_nonzero(kernel)
    assert layer.dense_bytes == 4 * kernel.size
    # small networks: indices of one byte, block rows of one byte unless over 255 blocks
    row_bytes = 1 if blocks.indices.size < 256 else 2
    sparse = blocks.data.nbytes + blocks.indices.size + blocks.indptr.size * row_bytes
    assert layer.encoded_bytes == sparse


def test_kernels_that_are_not_pruned_are_listed_as_they_are(pruned):
    found = inventory.of_model(pruned)
    assert list(by_name(found)) == NAMES
    depthwise = by_name(found)["depthwise"]
    assert depthwise.operator == "DEPTHWISE_CONV_2D"
    assert (depthwise.n, depthwise.sparsity, depthwise.fill) == (None, 0, 1)
    assert depthwise.macs == depthwise.nonzero_macs == 16 * 9 * 72
    assert depthwise.encoded_bytes == depthwise.dense_bytes == 4 * 9 * 72


def test_fill_counts_zeros_inside_kept_blocks():
    layer = layers.Conv2D(8, 1)
    model = tf_keras.Sequential([layers.Input((4, 4, 64)), layer])
    kernel = np.ones((64, 8), np.float32)
    kernel[:32, :4] = 0
    kernel[40, 3] = kernel[41, 7] = 0
    layer.set_weights([kernel[None, None], np.zeros(8)])
    (found,) = inventory.of_model(model).layers
    assert found.n == 4
    assert found.fill == pytest.approx(1 - 2 / (kernel.size - 32 * 4))


def test_a_file_is_listed_as_its_model(pruned, tmp_path):
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(pruned, path)
    model, file = inventory.read(pruned), inventory.read(path)
    assert (file.name, file.kind, model.kind) == ("model.tflite", "tflite", "keras")
    for ours, stored in zip(model.layers, file.layers, strict=True):
        assert stored.name == ours.name
        assert stored.operator == ours.operator
        assert stored.kernel_shape == ours.kernel_shape
        assert (stored.macs, stored.n) == (ours.macs, ours.n)
        assert stored.nonzero_macs == pytest.approx(ours.nonzero_macs, rel=0.01)
        assert stored.encoded_bytes == ours.encoded_bytes
    assert file.totals()["macs"] == model.totals()["macs"]


@pytest.mark.parametrize("options", [{"sparse": False}, {"float16": True}])
def test_other_ways_of_storing_are_told(pruned, tmp_path, options):
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(pruned, path, **options)
    model, file = inventory.read(pruned), inventory.read(path)
    expand, stored = by_name(model)["expand"], by_name(file)["expand"]
    assert stored.n == 8, "the zeros are there, however they are stored"
    if "float16" in options:
        assert stored.dense_bytes == expand.dense_bytes // 2
        assert stored.encoded_bytes < 0.6 * stored.dense_bytes
    else:
        assert stored.encoded_bytes == stored.dense_bytes
        assert "stores every kernel dense" in stored.verdicts["arm64"].reason


def test_small_savings_are_not_stored():
    """A sparse tensor costs a few hundred bytes beside the kernel."""
    layer = layers.Conv2D(8, 1)
    model = tf_keras.Sequential([layers.Input((4, 4, 8)), layer])
    kernel = np.random.default_rng(0).normal(size=(1, 1, 8, 8))
    layer.set_weights([kernel * masks.block_mask(kernel, 4, 0.5), np.zeros(8)])
    (found,) = inventory.of_model(model).layers
    assert (found.n, found.encoded_bytes) == (4, found.dense_bytes)


@pytest.mark.parametrize(
    ("layer", "n"),
    [
        (layers.Conv3D(8, 3, name="c"), 8),
        (layers.Conv2DTranspose(8, 3, name="c"), 1),
    ],
)
def test_kernels_that_no_file_stores_sparse_stay_dense(layer, n):
    shape = (8, 8, 8, 16) if isinstance(layer, layers.Conv3D) else (8, 8, 16)
    model = tf_keras.Sequential([layers.Input(shape), layer])
    weights = layer.get_weights()
    mask = masks.weight_mask(weights[0], 0.8) if n == 1 else None
    mask = masks.block_mask(weights[0], n, 0.8) if mask is None else mask
    layer.set_weights([weights[0] * mask, *weights[1:]])
    (found,) = inventory.of_model(model).layers
    assert (found.n, found.encoded_bytes) == (n, found.dense_bytes)
    assert found.verdicts["arm64"].word == "dense"


def test_totals_are_sums_and_shares():
    model = with_zeros(body(), 0.75)
    found = inventory.of_model(model)
    totals = found.totals()
    assert totals["kernels"] == 5
    assert totals["pruned_kernels"] == len(found.pruned) == 3
    for name in ("macs", "nonzero_macs", "dense_bytes", "encoded_bytes"):
        assert totals[name] == sum(getattr(layer, name) for layer in found.layers)
    kernels = {w.name: w.numpy() for w in model.weights if "kernel" in w.name}
    zeros = sum((k == 0).sum() for k in kernels.values())
    assert totals["sparsity"] == pytest.approx(
        zeros / sum(k.size for k in kernels.values())
    )
    assert totals["pruned_sparsity"] == pytest.approx(0.75, abs=0.01)
    assert (totals["unknown_macs"], totals["pruned_kept_l1"]) == (0, None)


def test_totals_tell_what_is_not_known():
    image = layers.Input((None, None, 4))
    x = layers.Conv2D(8, 1)(image)
    model = tf_keras.Model(image, layers.Dense(2)(tf.reduce_mean(x, axis=(1, 2))))
    totals = inventory.of_model(model).totals()
    assert totals["unknown_macs"] == 1
    assert totals["macs"] == totals["nonzero_macs"] == 16
    empty = inventory.of_model(tf_keras.Sequential([layers.Dense(2)])).totals()
    assert (empty["kernels"], empty["macs"], empty["sparsity"]) == (0, 0, None)
    assert empty["pruned_sparsity"] is None


def test_a_models_notes_are_kept(pruned):
    classifier = by_name(inventory.of_model(pruned))["classifier"]
    assert classifier.pinned == ("is an output of the model",)
    assert classifier.notes == ("N = 8 > 4 channels: one narrow block row",)
    assert classifier.kept == ()


def test_a_models_verdicts_are_foretold_as_far_as_they_can():
    half, most = with_zeros(body(), 0.5), with_zeros(body(), 0.8)
    assert by_name(inventory.of_model(half))["expand"].verdicts["arm64"].word == "dense"
    found = inventory.of_model(most)
    assert by_name(found)["expand"].verdicts["arm64"].word == "unknown"
    assert by_name(found)["stem"].verdicts["arm64"].word == "dense"
    assert found.verdicts["arm64"].word == "unknown"
    assert found.verdicts["x86-64"].word == "dense"


def test_a_files_verdicts_are_those_of_its_graph(tmp_path):
    path = tmp_path / "model.tflite"
    convert.convert_to_tflite(with_zeros(body(), 0.8), path)
    found = inventory.read(path)
    assert by_name(found)["expand"].verdicts["arm64"].word == "sparse"
    assert found.verdicts["arm64"].word == "sparse"


def test_everything_is_json(pruned):
    found = inventory.of_model(pruned)
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["totals"] == found.totals()
    first, second = plain["layers"][:2]
    assert second["kernel_shape"] == [1, 1, 24, 72]
    assert second["kept_l1"] is None
    assert second["verdicts"]["x86-64"]["word"] == "dense"
    assert set(plain) == {
        *("name", "kind", "layers", "totals", "verdicts", "untraced", "unlisted")
    }
    assert set(first) == {
        *("name", "operator", "kernel_shape", "n", "sparsity", "fill", "l1"),
        *("dense_l1", "kept_l1", "macs", "nonzero_macs", "dense_bytes"),
        *("encoded_bytes", "verdicts", "pinned", "kept", "notes"),
    }


def test_a_norm_that_is_no_number_is_none_in_json():
    model = tf_keras.Sequential([layers.Input((4,)), layers.Dense(2)])
    model.set_weights([np.full((4, 2), np.nan), np.zeros(2)])
    plain = inventory.of_model(model).to_dict()
    assert plain["layers"][0]["l1"] is None
    json.dumps(plain, allow_nan=False)


@pytest.mark.parametrize("float16", [False, True])
@pytest.mark.parametrize("sparse", [False, True])
def test_weights_that_are_no_numbers_are_listed(pruned, tmp_path, float16, sparse):
    """As a damaged file may hold them, those included that raise a signal."""
    content = convert.convert_to_tflite(pruned, float16=float16, sparse=sparse)
    model = flatbuffer.read(content)
    bits, quiet, signal = (np.uint16, 0x7E00, 0x7D00)
    if not float16:
        bits, quiet, signal = (np.uint32, 0x7FC00000, 0x7FA00000)
    for tensor in model.subgraphs[0].tensors:
        stored = flatbuffer.constant(model, tensor)
        if stored is not None and stored.size > 100:
            values = stored.view(bits).copy()
            values[:2] = quiet, signal
            model.buffers[tensor.buffer].data = values.view(np.uint8)
    path = tmp_path / "damaged.tflite"
    path.write_bytes(flatbuffer.write(model))
    found = inventory.read(path)
    assert any(np.isnan(layer.l1) for layer in found.layers)
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize("wrong", [3, layers.Dense(2), object()])
def test_what_is_no_model_is_refused(wrong):
    with pytest.raises(ValueError, match="Expected a tf_keras model or the path"):
        inventory.read(wrong)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "bad.tflite"
    path.write_bytes(b"no model at all")
    with pytest.raises(ValueError, match=r"bad\.tflite is not a \.tflite file"):
        inventory.read(path)
