import numpy as np
import pytest

from tfmot_onexn.tflite import flatbuffer, interpreter, kernels, validation


@pytest.fixture
def model(sparse_file):
    return flatbuffer.read_file(sparse_file)


def sparse_tensor(model):
    return next(t for t in model.subgraphs[0].tensors if t.sparsity is not None)


def sparse_level(model):
    return sparse_tensor(model).sparsity.dimMetadata[1]


def densify(model):
    operators = model.subgraphs[0].operators
    names = [flatbuffer.operator_of(model, operator) for operator in operators]
    code = names.index(flatbuffer.schema.BuiltinOperator.DENSIFY)
    reader = next(
        o for o in operators if operators[code].outputs[0] in o.inputs.tolist()
    )
    return operators[code], reader


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


def reverse_segments(model):
    set_values(sparse_level(model).arraySegments, lambda v: v.__setitem__(1, v[2] + 1))


def damage_first_segment(model):
    set_values(sparse_level(model).arraySegments, lambda v: v.__setitem__(0, 1))


def shorten_segments(model):
    vector = sparse_level(model).arraySegments
    vector.values = vector.values[:-1]


def shorten_values(model):
    buffer = model.buffers[sparse_tensor(model).buffer]
    buffer.data = buffer.data[:-16]


def drop_values(model):
    sparse_tensor(model).buffer = 0


def drop_indices(model):
    sparse_level(model).arrayIndices = None


def damage_traversal(model):
    sparse_tensor(model).sparsity.traversalOrder = np.array([0, 3, 1, 2, 2], np.int32)


def traverse_blocks_first(model):
    """Runtimes read a block's size from the level of its number, so it comes last."""
    sparsity = sparse_tensor(model).sparsity
    sparsity.traversalOrder = np.array([4, 3, 1, 2, 0], np.int32)


def damage_block_map(model):
    sparse_tensor(model).sparsity.blockMap = np.array([7], np.int32)


def swap_block_map(model):
    """Runtimes expect the block map to name axes in their order."""
    sparsity = sparse_tensor(model).sparsity
    sparsity.traversalOrder = np.array([0, 3, 1, 2, 4, 5], np.int32)
    sparsity.blockMap = np.array([2, 0], np.int32)
    one = flatbuffer.schema.DimensionMetadataT()
    one.denseSize = 1
    sparsity.dimMetadata.insert(4, one)


def damage_block_size(model):
    sparse_tensor(model).sparsity.dimMetadata[-1].denseSize = 5


def damage_dense_level(model):
    sparse_tensor(model).sparsity.dimMetadata[0].denseSize = 2


def drop_level(model):
    sparse_tensor(model).sparsity.dimMetadata.pop()


def drop_levels(model):
    sparse_tensor(model).sparsity.dimMetadata = []


def damage_format(model):
    sparse_tensor(model).sparsity.dimMetadata[-1].format = 1


def damage_type(model):
    sparse_tensor(model).type = 9


def empty_shape(model):
    tensor = sparse_tensor(model)
    tensor.shape = np.array([0, *tensor.shape[1:]], np.int32)


def bloat_traversal(model):
    sparse_tensor(model).sparsity.traversalOrder = np.arange(1000, dtype=np.int32)


def read_without_densify(model):
    restore, reader = densify(model)
    reader.inputs = np.where(
        reader.inputs == restore.outputs[0], restore.inputs[0], reader.inputs
    )


def densify_what_is_dense(model):
    restore, reader = densify(model)
    restore.inputs = reader.inputs[2:]


def change_what_densify_makes(model):
    restore, _ = densify(model)
    model.subgraphs[0].tensors[restore.outputs[0]].type = 1


def make_a_sparse_tensor_of_it(model):
    restore, _ = densify(model)
    tensors = model.subgraphs[0].tensors
    tensors[restore.outputs[0]].sparsity = tensors[restore.inputs[0]].sparsity
    tensors[restore.outputs[0]].buffer = tensors[restore.inputs[0]].buffer


def return_a_sparse_tensor(model):
    graph = model.subgraphs[0]
    graph.outputs = np.array([graph.tensors.index(sparse_tensor(model))], np.int32)


SPARSE = r"sparse tensor '.*' "


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_indices, SPARSE + "has indices outside 0 to"),
        (damage_order, SPARSE + "has indices that do not increase"),
        (damage_segments, SPARSE + "has segments that do not count up to its"),
        (reverse_segments, SPARSE + "has segments that do not count up to its"),
        (damage_first_segment, SPARSE + r"has \d+ segments, expected .* from 0"),
        (shorten_segments, SPARSE + r"has \d+ segments, expected"),
        (shorten_values, SPARSE + r"stores \d+ bytes of values, expected"),
        (drop_values, SPARSE + "stores 0 bytes of values, expected"),
        (drop_indices, SPARSE + "lacks segments or indices"),
        (damage_traversal, SPARSE + "of rank 4 has the traversal order"),
        (
            traverse_blocks_first,
            r"the traversal order \[4, 3, 1, 2, 0\], the block",
        ),
        (bloat_traversal, r"has the traversal order \[0, .* 11\] and 988 more, the"),
        (damage_block_map, SPARSE + r"of rank 4 has the block map \[7\]"),
        (swap_block_map, SPARSE + r"of rank 4 has the block map \[2, 0\]"),
        (damage_block_size, SPARSE + "has blocks of 5 on axis 0"),
        (damage_dense_level, SPARSE + "has a level of format 0 and size 2"),
        (drop_level, SPARSE + ".* and 4 levels"),
        (drop_levels, SPARSE + ".* and 0 levels"),
        (damage_format, SPARSE + "has a level of format 1"),
        (damage_type, SPARSE + "has the type 9, expected float32 or float16"),
        (empty_shape, SPARSE + r"has the shape \[0, "),
        (read_without_densify, "CONV_2D reads sparse tensor '.*' without DENSIFY"),
        (densify_what_is_dense, "DENSIFY reads tensor '.*', which is not sparse"),
        (
            change_what_densify_makes,
            r"DENSIFY makes tensor '.*' of type 1 and shape (.*), expected 0 and \1",
        ),
        (make_a_sparse_tensor_of_it, "DENSIFY writes tensor '.*', which is given"),
        (return_a_sparse_tensor, "the graph names sparse tensor"),
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


def test_any_order_of_a_kernels_own_axes_passes(model):
    """The window behind the sparse axis may come in either order."""
    before = [stored.kernel for stored in kernels.read(model)]
    for tensor in model.subgraphs[0].tensors:
        if tensor.sparsity is not None and len(tensor.shape) == 4:
            order = tensor.sparsity.traversalOrder
            tensor.sparsity.traversalOrder = order[[0, 1, 3, 2, *range(4, len(order))]]
    content = flatbuffer.write(model)
    after = [stored.kernel for stored in kernels.read(validation.validated(content))]
    for one, other in zip(before, after, strict=True):
        transposed = one.ndim == 4 and one.shape[:2] == (3, 3) and (one == 0).any()
        expected = one.swapaxes(0, 1) if transposed else one
        np.testing.assert_array_equal(other, expected)
