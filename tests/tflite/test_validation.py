import numpy as np
import pytest

from tfmot_onexn.tflite import flatbuffer, interpreter, validation


@pytest.fixture
def model(sparse_file):
    return flatbuffer.read_file(sparse_file)


def sparse_tensor(model):
    return next(t for t in model.subgraphs[0].tensors if t.sparsity is not None)


def sparse_level(model):
    return sparse_tensor(model).sparsity.dimMetadata[1]


def set_values(vector, change):
    values = np.array(vector.values)
    change(values)
    vector.values = values


def damage_indices(model):
    set_values(sparse_level(model).arrayIndices, lambda v: v.__setitem__(0, 200))


def damage_order(model):
    set_values(sparse_level(model).arrayIndices, lambda v: v.__setitem__(1, v[0]))


def damage_segments(model):
    set_values(sparse_level(model).arraySegments, lambda v: v.__setitem__(-1, 3))


def damage_first_segment(model):
    set_values(sparse_level(model).arraySegments, lambda v: v.__setitem__(0, 1))


def shorten_segments(model):
    vector = sparse_level(model).arraySegments
    vector.values = vector.values[:-1]


def shorten_values(model):
    buffer = model.buffers[sparse_tensor(model).buffer]
    buffer.data = buffer.data[:-16]


def drop_indices(model):
    sparse_level(model).arrayIndices = None


def damage_traversal(model):
    sparse_tensor(model).sparsity.traversalOrder = np.array([0, 3, 1, 2, 2], np.int32)


def damage_block_map(model):
    sparse_tensor(model).sparsity.blockMap = np.array([7], np.int32)


def damage_block_size(model):
    sparse_tensor(model).sparsity.dimMetadata[-1].denseSize = 5


def damage_dense_level(model):
    sparse_tensor(model).sparsity.dimMetadata[0].denseSize = 2


def drop_level(model):
    sparse_tensor(model).sparsity.dimMetadata.pop()


def damage_format(model):
    sparse_tensor(model).sparsity.dimMetadata[-1].format = 1


def damage_type(model):
    sparse_tensor(model).type = 9


def damage_buffer(model):
    sparse_tensor(model).buffer = 10_000


def damage_operator(model):
    model.subgraphs[0].operators[0].inputs = np.array([9_999], np.int32)


def damage_code(model):
    model.subgraphs[0].operators[0].opcodeIndex = 99


def damage_outputs(model):
    model.subgraphs[0].outputs = np.array([-2], np.int32)


def damage_dense_shape(model):
    tensor = next(
        t
        for t in model.subgraphs[0].tensors
        if t.sparsity is None and flatbuffer.constant(model, t) is not None
    )
    tensor.shape = np.array([*tensor.shape, 5], np.int32)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_indices, "has indices outside 0 to"),
        (damage_order, "has indices that do not increase"),
        (damage_segments, "has segments that do not count up to its"),
        (damage_first_segment, "segments, expected .* from 0"),
        (shorten_segments, "segments, expected"),
        (shorten_values, "bytes of values, expected"),
        (drop_indices, "lacks segments or indices"),
        (damage_traversal, "of rank 4 has the traversal order"),
        (damage_block_map, r"of rank 4 has the block map \[7\]"),
        (damage_block_size, "has blocks of 5 on axis 0"),
        (damage_dense_level, "has a level of format 0 and size 2"),
        (drop_level, "and 4 levels"),
        (damage_format, "has a level of format 1"),
        (damage_type, "has the type 9, expected float32 or float16"),
        (damage_buffer, "names buffer 10000"),
        (damage_operator, "an operator names tensor 9999"),
        (damage_code, "operator code 99 does not exist"),
        (damage_outputs, "the graph names tensor -2"),
        (damage_dense_shape, "bytes, expected"),
    ],
)
def test_each_fault_is_named_before_a_runtime_sees_the_file(
    model, tmp_path, damage, message
):
    damage(model)
    path = tmp_path / "bad.tflite"
    path.write_bytes(flatbuffer.write(model))
    with pytest.raises(ValueError, match=rf"bad.tflite is damaged: .*{message}.*again"):
        validation.validated(path.read_bytes(), str(path))
    with pytest.raises(ValueError, match=r"bad.tflite is damaged"):
        interpreter.load_interpreter(path)


def test_a_good_file_passes(sparse_file):
    model = validation.validated(sparse_file.read_bytes())
    assert sparse_tensor(model).shape is not None


def test_random_damage_never_escapes_as_another_error(sparse_file):
    """A bounded fuzz: a mutated file is accepted or refused with a ValueError."""
    content = sparse_file.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        mutated = bytearray(content)
        for place in rng.integers(8, len(content), rng.integers(1, 12)):
            mutated[place] = rng.integers(256)
        try:
            validation.validated(bytes(mutated))
        except ValueError:
            refused += 1
    assert refused > 30
