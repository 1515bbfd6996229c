import re

import hypothesis
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, load_delegate
from hypothesis import strategies as st
from small_files import SmallFile, block_kernel, difference, invoke

from tfmot_onexn.tflite import flatbuffer, sparse_validation

schema = flatbuffer.schema


def pointwise(rng, n, outputs=96, inputs=40, half=False):
    file = SmallFile(half)
    kernel = block_kernel(rng, (outputs, 1, 1, inputs), n)
    file.output(file.conv(file.input([1, 5, 7, inputs]), kernel))
    return file.content()


def window(rng):
    file = SmallFile()
    kernel = block_kernel(rng, (16, 3, 3, 12), 4)
    file.output(file.conv(file.input([1, 6, 5, 12]), kernel))
    return file.content()


def edited(content, change):
    model = flatbuffer.read(content)
    for tensor in model.subgraphs[0].tensors:
        if tensor.sparsity is not None:
            change(model, tensor)
    return flatbuffer.write(model)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 8, 16, 24, 32])
def test_blocks_of_any_size_are_claimed(n, half, rng, same):
    (verdict,) = same(pointwise(rng, n, half=half))
    assert verdict["claimed"]
    assert verdict["n"] == n


@pytest.mark.parametrize("n", [1, 8])
def test_the_sparse_level_may_come_behind_a_window_of_one(n, rng, same):
    def reorder(_, tensor):
        sparsity = tensor.sparsity
        out, inputs, height, width, *block = sparsity.dimMetadata
        sparsity.dimMetadata = [out, height, width, inputs, *block]
        order = np.arange(len(sparsity.dimMetadata), dtype=np.int32)
        sparsity.traversalOrder = order

    (verdict,) = same(edited(pointwise(rng, n), reorder))
    assert verdict["claimed"]
    assert verdict["n"] == n


def test_all_rows_in_one_block(rng, same):
    file = SmallFile()
    kernel = block_kernel(rng, (16, 1, 1, 64), 16)
    file.output(file.conv(file.input([1, 3, 3, 64]), kernel))
    (verdict,) = same(file.content())
    assert verdict["claimed"]


def test_indices_of_every_width(rng, same):
    """More than 256 inputs, and more than 65536 blocks."""
    (wide,) = same(pointwise(rng, 4, inputs=300))
    file = SmallFile()
    kernel = block_kernel(rng, (512, 1, 1, 300), 1, density=0.5)
    file.output(file.conv(file.input([1, 2, 2, 300]), kernel))
    (many,) = same(file.content())
    assert wide["claimed"]
    assert many["claimed"]


def test_other_layouts_stay_with_the_runtime(rng, same):
    def transpose(_, tensor):
        order = tensor.sparsity.traversalOrder
        tensor.sparsity.traversalOrder = order[[0, 1, 3, 2, 4]]

    (verdict,) = same(edited(window(rng), transpose))
    assert not verdict["claimed"]
    assert "not in blocks of output channels" in verdict["reason"]


def change_values(vector, change):
    values = np.array(vector.values)
    change(values)
    vector.values = values


def level(tensor):
    return tensor.sparsity.dimMetadata[1]


def high_index(_, tensor):
    change_values(level(tensor).arrayIndices, lambda v: v.__setitem__(0, 200))


def equal_indices(_, tensor):
    change_values(level(tensor).arrayIndices, lambda v: v.__setitem__(1, v[0]))


def negative_index(_, tensor):
    vector = schema.Int32VectorT()
    vector.values = np.array(level(tensor).arrayIndices.values, np.int32)
    vector.values[0] = -1
    level(tensor).arrayIndices = vector
    level(tensor).arrayIndicesType = schema.SparseIndexVector.Int32Vector


def late_start(_, tensor):
    change_values(level(tensor).arraySegments, lambda v: v.__setitem__(0, 1))


def early_end(_, tensor):
    change_values(level(tensor).arraySegments, lambda v: v.__setitem__(-1, v[-1] - 1))


def falling_segments(_, tensor):
    change_values(level(tensor).arraySegments, lambda v: v.__setitem__(1, v[2] + 1))


def few_segments(_, tensor):
    level(tensor).arraySegments.values = level(tensor).arraySegments.values[:-1]


def few_values(model, tensor):
    buffer = model.buffers[tensor.buffer]
    buffer.data = buffer.data[:-16]


def many_values(model, tensor):
    buffer = model.buffers[tensor.buffer]
    buffer.data = np.concatenate([buffer.data, buffer.data[:16]])


def repeated_axis(_, tensor):
    tensor.sparsity.traversalOrder = np.array([0, 3, 1, 1, 4], np.int32)


def blocks_first(_, tensor):
    tensor.sparsity.traversalOrder = np.array([4, 3, 1, 2, 0], np.int32)


def short_order(_, tensor):
    tensor.sparsity.traversalOrder = np.array([0, 3, 1, 2], np.int32)


def long_order(_, tensor):
    tensor.sparsity.traversalOrder = np.arange(1000, dtype=np.int32)


def unknown_axis(_, tensor):
    tensor.sparsity.blockMap = np.array([7], np.int32)


def negative_axis(_, tensor):
    tensor.sparsity.blockMap = np.array([-1], np.int32)


def missing_level(_, tensor):
    tensor.sparsity.dimMetadata.pop()


def odd_block(_, tensor):
    tensor.sparsity.dimMetadata[-1].denseSize = 5


def empty_block(_, tensor):
    tensor.sparsity.dimMetadata[-1].denseSize = 0


def wrong_size(_, tensor):
    tensor.sparsity.dimMetadata[0].denseSize = 2


def negative_size(_, tensor):
    tensor.sparsity.dimMetadata[0].denseSize = -4


def huge_shape(_, tensor):
    tensor.shape = np.array([2**31 - 1] * 4, np.int32)
    for i in (0, 2, 3):
        tensor.sparsity.dimMetadata[i].denseSize = 2**31 - 1
    tensor.sparsity.dimMetadata[-1].denseSize = 1


def empty_shape(_, tensor):
    tensor.shape = np.array([0, *tensor.shape[1:]], np.int32)


def no_shape(_, tensor):
    tensor.shape = np.array([], np.int32)


MALFORMED = [
    (high_index, "the index 200, expected 0 to 11"),
    (equal_indices, r"the index \d+ after \d+, expected rising ones"),
    (negative_index, "the index -1, expected 0 to 11"),
    (late_start, r"segments from 1 to \d+, expected 0 to its \d+ indices"),
    (early_end, r"segments from 0 to \d+, expected 0 to its \d+ indices"),
    (falling_segments, r"segment 1 that ends at \d+, before its start at \d+"),
    (few_segments, "4 segments at level 1, expected 5"),
    (few_values, r"\d+ bytes of values, expected \d+"),
    (many_values, r"\d+ bytes of values, expected \d+"),
    (repeated_axis, "1 at place 3 of its traversal order, expected each dimension"),
    (blocks_first, "4 at place 0 of its traversal order, expected each dimension"),
    (short_order, "a traversal order of 4, 5 levels and a block map of 1, expected 5"),
    (long_order, "a traversal order of 1000, 5 levels"),
    (unknown_axis, "dimension 7 in its block map, expected one from 0 to 3"),
    (negative_axis, "dimension -1 in its block map, expected one from 0 to 3"),
    (missing_level, "a traversal order of 5, 4 levels"),
    (odd_block, "blocks of 5 along dimension 0, expected a divisor of 16"),
    (empty_block, "blocks of 0 along dimension 0, expected a divisor of 16"),
    (wrong_size, "a level 0 of format 0 and size 2, expected a dense one of 4"),
    (negative_size, "a level 0 of format 0 and size -4, expected a dense one of 4"),
    (huge_shape, r"\d+ segments at level 1, expected 2147483648"),
    (empty_shape, "size 0 in dimension 0, expected at least 1"),
    (no_shape, "0 dimensions, expected 1 to 8"),
]


@pytest.mark.parametrize(
    ("damage", "message"), MALFORMED, ids=[case[0].__name__ for case in MALFORMED]
)
def test_malformed_tensors_fail_with_what_is_wrong(damage, message, rng, interpreter):
    content = edited(window(rng), damage)
    expected = rf'the model is damaged: sparse tensor "constant_\d+" has {message}'
    with pytest.raises(RuntimeError, match=expected):
        interpreter(content, {})


def test_a_file_is_checked_wherever_its_sparse_tensors_are_read(rng, interpreter):
    """Even one that no layer reads."""
    model = flatbuffer.read(window(rng))
    graph = model.subgraphs[0]
    sparse = next(t for t in graph.tensors if t.sparsity is not None)
    few_segments(model, sparse)
    operator = next(o for o in graph.operators if len(o.inputs) == 1)
    spare = schema.TensorT()
    spare.shape, spare.type, spare.buffer = sparse.shape, sparse.type, 0
    spare.name = b"spare"
    graph.tensors.append(spare)
    conv = next(o for o in graph.operators if len(o.inputs) == 3)
    dense = SmallFile()
    stored = dense.constant(np.zeros(sparse.shape, np.float32))
    tensor = dense.graph.tensors[stored]
    tensor.buffer = len(model.buffers)
    model.buffers.append(dense.model.buffers[-1])
    graph.tensors.append(tensor)
    conv.inputs = np.array([conv.inputs[0], len(graph.tensors) - 1, conv.inputs[2]])
    assert operator.inputs[0] == graph.tensors.index(sparse)
    with pytest.raises(RuntimeError, match=re.escape("expected 5")):
        interpreter(flatbuffer.write(model), {})


def test_only_densify_may_read_a_sparse_tensor(rng, interpreter):
    model = flatbuffer.read(window(rng))
    densify, conv = model.subgraphs[0].operators
    conv.inputs = np.array([conv.inputs[0], densify.inputs[0], conv.inputs[2]])
    message = 'damaged: operator 1 reads sparse tensor "constant_1" without DENSIFY'
    with pytest.raises(RuntimeError, match=message):
        interpreter(flatbuffer.write(model), {})


def test_densify_must_read_a_sparse_tensor(rng, interpreter):
    model = flatbuffer.read(window(rng))
    densify, conv = model.subgraphs[0].operators
    densify.inputs = conv.inputs[2:]
    message = 'damaged: DENSIFY at operator 0 reads "constant_2", which is not sparse'
    with pytest.raises(RuntimeError, match=message):
        interpreter(flatbuffer.write(model), {})


NUMBERS = st.one_of(st.integers(-2, 20), st.sampled_from([255, 256, 65535, 2**31 - 1]))
PLACES = st.integers(0, 40)


def mutate(model, tensor, what, place, number):
    """Changes one number of a sparse tensor, or the length of one list."""
    sparsity = tensor.sparsity
    at = sparsity.dimMetadata[place % len(sparsity.dimMetadata)]
    if what == "format":
        at.format = number % 3
    elif what == "size":
        at.denseSize = number
    elif what == "bytes":
        buffer = model.buffers[tensor.buffer]
        buffer.data = np.resize(
            buffer.data, max(1, len(buffer.data) + 4 * (place - 20))
        )
    elif what in ("arraySegments", "arrayIndices"):
        vector = schema.Int32VectorT()
        old = getattr(level(tensor), what).values
        values = np.array(old, np.int32)
        values[place % len(values)] = number
        vector.values = values[: len(values) - (number == 20)]
        setattr(level(tensor), what, vector)
        setattr(level(tensor), f"{what}Type", schema.SparseIndexVector.Int32Vector)
    else:
        holder = tensor if what == "shape" else sparsity
        values = np.array(getattr(holder, what), np.int32)
        values[place % len(values)] = number
        setattr(holder, what, values)


WHAT = ["format", "size", "bytes", "arraySegments", "arrayIndices"]
WHAT += ["shape", "traversalOrder", "blockMap"]


@hypothesis.settings(max_examples=400)
@hypothesis.given(
    st.lists(st.tuples(st.sampled_from(WHAT), PLACES, NUMBERS), min_size=1, max_size=3)
)
def test_what_passes_is_what_the_package_lets_pass(library, changes):
    """Two checks, written apart, agree; and what passes is computed as ever."""
    model = flatbuffer.read(window(np.random.default_rng(0)))
    tensor = next(t for t in model.subgraphs[0].tensors if t.sparsity is not None)
    for change in changes:
        mutate(model, tensor, *change)
    faults = list(sparse_validation.tensor_faults(model, tensor))
    content = flatbuffer.write(model)
    delegates = [load_delegate(library, {"cost_gate": "off"})]
    try:
        loaded = Interpreter(model_content=content, experimental_delegates=delegates)
        loaded.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        assert faults or "failed to prepare" in str(error), error
        return
    assert not faults
    stock = Interpreter(model_content=content)
    stock.allocate_tensors()
    assert difference(invoke(loaded), invoke(stock)) <= 1e-5
