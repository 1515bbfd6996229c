import struct

import flatbuffers
import pytest
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, verifier

TABLES = [
    kind
    for name, kind in vars(schema).items()
    if isinstance(kind, type) and hasattr(kind, "Init") and hasattr(schema, f"{name}T")
]


def test_fields_are_those_of_the_schemas_own_objects():
    assert len(TABLES) > 150
    for kind in TABLES:
        attributes = vars(getattr(schema, f"{kind.__name__}T")())
        names = [field.name for field in verifier.layout(kind) if field is not None]
        prefix = f"{kind.__name__}."
        assert all(name.startswith(prefix) for name in names)
        plain = [name.removeprefix(prefix) for name in names]
        assert {name[0].lower() + name[1:] for name in plain} == set(attributes)


def test_kinds_of_fields_are_those_of_the_schema():
    fields = {field.name: field for field in verifier.layout(schema.Tensor)}
    kinds = {
        name.removeprefix("Tensor."): field.kind.name for name, field in fields.items()
    }
    assert kinds == {
        "Shape": "SCALARS",
        "Type": "SCALAR",
        "Buffer": "SCALAR",
        "Name": "STRING",
        "Quantization": "TABLE",
        "IsVariable": "SCALAR",
        "Sparsity": "TABLE",
        "ShapeSignature": "SCALARS",
        "HasRank": "SCALAR",
        "VariantTensors": "TABLES",
        "ExternalBuffer": "SCALAR",
    }
    assert fields["Tensor.Type"].width == 1
    assert fields["Tensor.Buffer"].width == 4
    assert fields["Tensor.Sparsity"].table is schema.SparsityParameters
    (union,) = [
        f
        for f in verifier.layout(schema.QuantizationParameters)
        if f.kind is verifier.Kind.UNION
    ]
    assert union.name == "QuantizationParameters.Details"
    numbers = verifier.union_classes(schema.SparseIndexVector)
    assert numbers == {
        1: schema.Int32Vector,
        2: schema.Uint16Vector,
        3: schema.Uint8Vector,
    }


def test_every_union_has_its_classes():
    for kind in TABLES:
        for field in verifier.layout(kind):
            if field is not None and field.kind is verifier.Kind.UNION:
                assert set(verifier.union_classes(field.table).values()) <= set(TABLES)


def test_the_schema_has_no_circles():
    """The walk's depth is bounded by it."""

    def depth(kind, above):
        assert kind not in above
        children = [0]
        for field in verifier.layout(kind):
            if field is not None and field.kind is verifier.Kind.UNION:
                below = verifier.union_classes(field.table).values()
            elif field is not None and field.table is not None:
                below = [field.table]
            else:
                below = []
            children += [1 + depth(table, {*above, kind}) for table in below]
        return max(children)

    assert 4 <= depth(schema.Model, set()) <= 8


def test_what_was_written_passes(sparse_file):
    content = sparse_file.read_bytes()
    verifier.verify(content)
    verifier.verify(flatbuffer.write(flatbuffer.read(content)))


def place(content, table, slot):
    """Returns where a table stores a field."""
    return table._tab.Pos + table._tab.Offset(slot)


def overwritten(content, at, code, value):
    mutated = bytearray(content)
    struct.pack_into(code, mutated, at, value)
    return bytes(mutated)


def leave_the_file(content, model):
    return overwritten(content, place(content, model, 8), "<I", len(content))


def lead_to_itself(content, model):
    return overwritten(content, place(content, model, 12), "<I", 0)


def lead_to_no_tensor(content, model):
    at = model.Subgraphs(0)._tab.Vector(model.Subgraphs(0)._tab.Offset(4))
    return overwritten(content, at, "<I", 0)


def lengthen_vector(content, model):
    at = model.Subgraphs(0)._tab.Vector(model.Subgraphs(0)._tab.Offset(4)) - 4
    return overwritten(content, at, "<I", 2**32 - 1)


def shift_table(content, model):
    at = place(content, model, 8)
    (distance,) = struct.unpack_from("<I", content, at)
    return overwritten(content, at, "<I", distance + 2)


def misplace_vtable(content, model):
    return overwritten(content, model._tab.Pos, "<i", -(2**31))


def empty_vtable(content, model):
    (distance,) = struct.unpack_from("<i", content, model._tab.Pos)
    return overwritten(content, model._tab.Pos - distance, "<H", 2)


def lengthen_vtable(content, model):
    (distance,) = struct.unpack_from("<i", content, model._tab.Pos)
    return overwritten(content, model._tab.Pos - distance, "<H", 2**16 - 2)


def drop_terminator(content, model):
    name = model.Subgraphs(0).Tensors(0)._tab
    start = name.Pos + name.Offset(10)
    start += struct.unpack_from("<I", content, start)[0]
    (length,) = struct.unpack_from("<I", content, start)
    return overwritten(content, start + 4 + length, "<B", 1)


def move_scalar(content, model):
    """Has a table's list of fields put one of four bytes at an odd place."""
    code = model.OperatorCodes(0)._tab
    (distance,) = struct.unpack_from("<i", content, code.Pos)
    return overwritten(content, code.Pos - distance + 4 + 2 * 3, "<H", 5)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (leave_the_file, r"Model\.Subgraphs at byte \d+ leads to \d+ of \d+"),
        (lead_to_itself, r"Model\.Buffers at byte (\d+) leads to \1 of"),
        (lead_to_no_tensor, r"SubGraph\.Tensors at byte (\d+) leads to \1 of"),
        (lengthen_vector, r"SubGraph\.Tensors takes 17179869180 bytes at \d+ of \d+"),
        (shift_table, r"Model\.Subgraphs at byte \d+ is not aligned to 4"),
        (misplace_vtable, r"Model at byte \d+ has no list of its fields"),
        (empty_vtable, r"Model at byte \d+ has no list of its fields"),
        (lengthen_vtable, r"Model at byte \d+ has no list of its fields"),
        (drop_terminator, r"Tensor\.Name at byte \d+ does not end in a zero"),
        (move_scalar, r"OperatorCode\.BuiltinCode at byte \d+ is not aligned to 4"),
    ],
)
def test_each_fault_is_named(sparse_file, damage, message):
    content = sparse_file.read_bytes()
    damaged = damage(content, schema.Model.GetRootAs(content, 0))
    with pytest.raises(ValueError, match=message):
        verifier.verify(damaged)
    with pytest.raises(ValueError, match=rf"x\.tflite is damaged .*{message}.*again"):
        flatbuffer.read(damaged, "x.tflite")


def test_a_cut_file_is_refused_wherever_it_ends(sparse_file):
    content = sparse_file.read_bytes()
    for size in range(8, len(content), 101):
        with pytest.raises(ValueError, match=r"bytes at|leads to|no list of its"):
            verifier.verify(content[:size])


def same_tables_many_times(count):
    """A small file of which each table is referred to ``count`` times."""
    builder = flatbuffers.Builder(0)
    schema.TensorStart(builder)
    tensor = schema.TensorEnd(builder)

    def vector_of(table, start):
        start(builder, count)
        for _ in range(count):
            builder.PrependUOffsetTRelative(table)
        return builder.EndVector()

    tensors = vector_of(tensor, schema.SubGraphStartTensorsVector)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    graph = schema.SubGraphEnd(builder)
    graphs = vector_of(graph, schema.ModelStartSubgraphsVector)
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graphs)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def test_tables_that_share_bytes_cannot_multiply_the_work():
    verifier.verify(same_tables_many_times(1))
    content = same_tables_many_times(2000)
    assert len(content) < 20_000
    with pytest.raises(ValueError, match=r"Tensor at byte \d+ overlaps what precedes"):
        verifier.verify(content)


def test_a_union_of_unknown_kind_or_without_value_is_ignored(sparse_file):
    content = sparse_file.read_bytes()
    model = schema.Model.GetRootAs(content, 0)
    operators = [model.Subgraphs(0).Operators(i) for i in range(5)]
    operator = next(o for o in operators if o.BuiltinOptionsType())
    unknown = overwritten(content, place(content, operator, 10), "<B", 255)
    verifier.verify(unknown)
    (distance,) = struct.unpack_from("<i", content, operator._tab.Pos)
    vtable = operator._tab.Pos - distance
    verifier.verify(overwritten(content, vtable + 12, "<H", 0))
