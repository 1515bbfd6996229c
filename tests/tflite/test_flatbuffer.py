import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer


def test_written_buffers_and_indices_are_aligned(sparse_file):
    """A cache line for buffers, and the 4 that the schema demands for index vectors."""
    content = sparse_file.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    starts = []
    for i in range(model.BuffersLength()):
        buffer = model.Buffers(i)
        if buffer.DataLength():
            starts.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(starts) > 10
    assert {start % 64 for start in starts} == {0}
    graph = model.Subgraphs(0)
    vectors = []
    for i in range(graph.TensorsLength()):
        sparsity = graph.Tensors(i).Sparsity()
        if sparsity is not None:
            table = sparsity.DimMetadata(1).ArrayIndices()
            vectors.append(table.Vector(table.Offset(4)))
    assert len(vectors) == 5
    assert {start % 4 for start in vectors} == {0}


def test_reading_what_was_written_gives_the_same_model(sparse_file):
    content = sparse_file.read_bytes()
    once = flatbuffer.write(flatbuffer.read(content))
    assert flatbuffer.write(flatbuffer.read(once)) == once
    model, again = flatbuffer.read(content), flatbuffer.read(once)
    for before, after in zip(model.buffers, again.buffers, strict=True):
        np.testing.assert_array_equal(
            [] if before.data is None else before.data,
            [] if after.data is None else after.data,
        )


def packed(**changes):
    """A model without operators, its one subgraph of one tensor, but for changes."""
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [schema.TensorT()], []
    model = schema.ModelT()
    model.buffers, model.operatorCodes = [schema.BufferT()], []
    model.subgraphs = [graph]
    for name, value in changes.items():
        setattr(model, name, value)
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_vectors_that_a_file_leaves_out_come_empty():
    graph = schema.SubGraphT()
    tensor = schema.TensorT()
    tensor.sparsity = schema.SparsityParametersT()
    graph.tensors, graph.operators = [tensor], [schema.OperatorT()]
    (read,) = flatbuffer.read(packed(subgraphs=[graph])).subgraphs
    sparsity = read.tensors[0].sparsity
    for vector in (
        *(read.inputs, read.outputs, read.tensors[0].shape),
        *(read.operators[0].inputs, read.operators[0].outputs),
        *(sparsity.traversalOrder, sparsity.blockMap),
    ):
        assert vector.dtype == np.int32
        assert vector.shape == (0,)
    assert sparsity.dimMetadata == []


def test_a_model_without_operators_is_one():
    assert flatbuffer.read(packed()).subgraphs[0].operators == []


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"", "lacks the identifier TFL3"),
        (lambda content: b"some text, not a model", "lacks the identifier TFL3"),
        (lambda content: content[: len(content) // 2], "damaged or truncated"),
        (lambda content: content[:64], "damaged or truncated"),
        (lambda content: content[:8] + b"\xff" * 64, "damaged or truncated"),
        (lambda content: packed(subgraphs=[]), "has no subgraphs, buffers or operator"),
        (lambda content: packed(buffers=[]), "has no subgraphs, buffers or operator"),
        (lambda content: packed(operatorCodes=None), "has no subgraphs, buffers or op"),
        (
            lambda content: packed(subgraphs=[schema.SubGraphT()]),
            "a subgraph has no tensors or operators",
        ),
    ],
)
def test_what_is_no_model_is_refused_by_name(sparse_file, damage, message):
    with pytest.raises(
        ValueError, match=rf"mine\.tflite is .*{message}|mine.*{message}"
    ):
        flatbuffer.read(damage(sparse_file.read_bytes()), "mine.tflite")


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Cannot read .*none.tflite: No such file"):
        flatbuffer.read_file(tmp_path / "none.tflite")


def test_a_file_is_told_by_its_name_or_its_content(sparse_file, tmp_path):
    copy = tmp_path / "copy"
    copy.write_bytes(sparse_file.read_bytes())
    assert flatbuffer.is_tflite(copy)
    assert flatbuffer.is_tflite("none.tflite")
    copy.write_bytes(b"TFL3")
    assert not any(map(flatbuffer.is_tflite, (copy, tmp_path, "none", "m.keras")))
