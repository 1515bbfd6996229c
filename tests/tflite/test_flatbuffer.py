import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer


def test_written_buffers_and_indices_are_aligned(sparse_file):
    """The schema demands 16 bytes for buffers and 4 for index vectors."""
    content = sparse_file.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    starts = []
    for i in range(model.BuffersLength()):
        buffer = model.Buffers(i)
        if buffer.DataLength():
            starts.append(buffer._tab.Vector(buffer._tab.Offset(4)))
    assert len(starts) > 10
    assert {start % 16 for start in starts} == {0}
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


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: b"", "lacks the identifier TFL3"),
        (lambda content: b"some text, not a model", "lacks the identifier TFL3"),
        (lambda content: content[: len(content) // 2], "damaged or truncated"),
        (lambda content: content[:64], "damaged or truncated"),
        (lambda content: content[:8] + b"\xff" * 64, "damaged or truncated"),
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
