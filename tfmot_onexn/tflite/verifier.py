"""Checks that a `.tflite` file's tables, vectors and strings lie inside it.

The schema's Python classes follow any offset and believe any length: a damaged file
sends them out of bounds, or through the same bytes many times over. `verify` walks
every table that they would, and stops where the total exceeds what the file can hold,
so that both take time and memory in proportion to the file's size. The types of the
fields come from the schema's own accessors.
"""

import enum
import functools
import struct
import types
from typing import Any, NamedTuple

from ai_edge_litert import schema_py_generated as schema

# writers may let tables share a string or a vector, though few do
_MOST_BYTES_PER_FILE_BYTE = 2
_U16, _I32, _U32 = (struct.Struct(f"<{code}") for code in "HiI")
_OFFSET_BYTES = 4


class Kind(enum.Enum):
    """What a table's field is."""

    SCALAR = enum.auto()
    STRING = enum.auto()
    TABLE = enum.auto()
    UNION = enum.auto()
    SCALARS = enum.auto()
    TABLES = enum.auto()


class Field(NamedTuple):
    """A field of a table.

    Attributes:
      name: the table's and the field's.
      kind: what it is, or leads to.
      width: bytes of the scalar, or of a vector's item.
      table: class of the table or of a vector's tables; the enumeration of a union's
        classes.
    """

    name: str
    kind: Kind
    width: int = _OFFSET_BYTES
    table: Any = None


# the enumeration that tells what a union is, by the field's name
_UNIONS = {
    "ArrayIndices": schema.SparseIndexVector,
    "ArraySegments": schema.SparseIndexVector,
    "BuiltinOptions": schema.BuiltinOptions,
    "BuiltinOptions2": schema.BuiltinOptions2,
    "Details": schema.QuantizationDetails,
}


def verify(content: bytes) -> None:
    """Checks a file's structure.

    Args:
      content: the bytes of a `.tflite` file.

    Raises:
      ValueError: naming the first field that leads outside the file, or at which the
        file claims more than it holds.
    """
    walk = _Walk(content)
    walk.table(walk.follow(0, "Model"), schema.Model)


class _Walk:
    """Visits a file's tables and counts the bytes that they claim."""

    def __init__(self, content: bytes):
        self._bytes = content
        self._size = len(content)
        self._left = _MOST_BYTES_PER_FILE_BYTE * len(content)

    def follow(self, at: int, name: str) -> int:
        """Returns where the offset stored at a place leads."""
        self._take(at, _OFFSET_BYTES, name, _OFFSET_BYTES)
        return self._target(at, name)

    def _target(self, at: int, name: str) -> int:
        (distance,) = _U32.unpack_from(self._bytes, at)
        target = at + distance
        if not at < target < self._size:
            raise ValueError(f"{name} at byte {at} leads to {target} of {self._size}")
        return target

    def table(self, at: int, kind: type) -> None:
        """Checks a table and all that it leads to; the schema has no circles."""
        self._take(at, _OFFSET_BYTES, kind.__name__, _OFFSET_BYTES)
        fields = layout(kind)
        slots = self._slots(at, kind.__name__, len(fields))
        for index, (field, slot) in enumerate(zip(fields, slots, strict=False)):
            if field is None or not slot:
                continue
            if field.kind is Kind.SCALAR:
                self._take(at + slot, field.width, field.name, field.width)
                continue
            target = self.follow(at + slot, field.name)
            if field.kind is Kind.TABLE:
                self.table(target, field.table)
            elif field.kind is Kind.UNION:
                # the field before says which of its classes it is
                number = self._bytes[at + slots[index - 1]] if slots[index - 1] else 0
                # runtimes ignore a class that they do not know, and so does the schema
                if number in union_classes(field.table):
                    self.table(target, union_classes(field.table)[number])
            else:
                self._vector(target, field)

    def _take(self, at: int, size: int, name: str, alignment: int) -> None:
        """Checks that a place lies in the file, and counts its bytes."""
        if at % alignment:
            raise ValueError(f"{name} at byte {at} is not aligned to {alignment}")
        if not 0 <= at <= self._size - size:
            raise ValueError(f"{name} takes {size} bytes at {at} of {self._size}")
        self._left -= size
        if self._left < 0:
            raise ValueError(f"{name} at byte {at} overlaps what precedes it")

    def _slots(self, at: int, name: str, most: int) -> tuple[int, ...]:
        """Returns where a table has its first fields, 0 for those left out."""
        vtable = at - _I32.unpack_from(self._bytes, at)[0]
        # tables share them, so their bytes do not count
        size = 0
        if vtable % _U16.size == 0 and 0 <= vtable <= self._size - _U16.size:
            (size,) = _U16.unpack_from(self._bytes, vtable)
        if size < 4 or size % _U16.size or vtable + size > self._size:
            raise ValueError(f"{name} at byte {at} has no list of its fields")
        count = min(size // _U16.size - 2, most)
        return struct.unpack_from(f"<{count}H", self._bytes, vtable + 4)

    def _vector(self, at: int, field: Field) -> None:
        count_at, start = at, at + _OFFSET_BYTES
        self._take(count_at, _OFFSET_BYTES, field.name, _OFFSET_BYTES)
        (count,) = _U32.unpack_from(self._bytes, count_at)
        is_string = field.kind is Kind.STRING
        self._take(start, count * field.width + is_string, field.name, field.width)
        if is_string and self._bytes[start + count]:
            raise ValueError(f"{field.name} at byte {at} does not end in a zero")
        if field.kind is Kind.TABLES:
            for item in range(start, start + count * _OFFSET_BYTES, _OFFSET_BYTES):
                self.table(self._target(item, field.name), field.table)


@functools.cache
def union_classes(union: type) -> dict[int, type]:
    """Returns a union's table classes by the numbers that stand for them."""
    return {
        number: getattr(schema, name)
        for name, number in vars(union).items()
        if isinstance(number, int) and name != "NONE"
    }


@functools.cache
def layout(kind: type) -> tuple[Field | None, ...]:
    """Returns the fields of a table class in the file's order, None where one is gone.

    They are learned by calling each accessor on a probe in place of a table.
    """
    fields: dict[int, Field] = {}
    for name, accessor in vars(kind).items():
        if isinstance(accessor, types.FunctionType) and _names_a_field(kind, name):
            index, field = _probed(kind, name)
            fields[index] = field
    return tuple(fields.get(index) for index in range(max(fields, default=-1) + 1))


def _names_a_field(kind: type, name: str) -> bool:
    """Tells a field's own accessor from those for a vector's length and the like."""
    return name != "Init" and not any(
        name.endswith(suffix) and hasattr(kind, name.removesuffix(suffix))
        for suffix in ("Length", "IsNone", "AsNumpy")
    )


def _probed(kind: type, name: str) -> tuple[int, Field]:
    """Returns a field's index and type, from what its accessor asks of a table."""
    table = kind()
    table._tab = probe = _Probe()
    is_vector = hasattr(kind, f"{name}Length")
    value = getattr(table, name)(*([0] if is_vector else []))
    name = f"{kind.__name__}.{name}"
    if probe.is_union:
        field = Field(name, Kind.UNION, table=_UNIONS[name.split(".")[1]])
    elif probe.scalar is not None:
        what = Kind.SCALARS if is_vector else Kind.SCALAR
        field = Field(name, what, probe.scalar.bytewidth)
    elif isinstance(value, bytes):
        field = Field(name, Kind.STRING, 1)
    else:
        what = Kind.TABLES if is_vector else Kind.TABLE
        field = Field(name, what, table=type(value))
    # a list of fields starts with two sizes of two bytes
    return (probe.slot - 4) // 2, field


class _Probe:
    """Stands in for a `flatbuffers.Table` and notes what an accessor asks of it."""

    Bytes = b""
    Pos = 0

    def __init__(self) -> None:
        self.slot = 0
        self.scalar: Any = None
        self.is_union = False

    def Offset(self, slot: int) -> int:  # noqa: N802 (the library's names)
        self.slot = slot
        return 1

    def Vector(self, offset: int) -> int:  # noqa: N802
        return 0

    def Indirect(self, offset: int) -> int:  # noqa: N802
        return 0

    def Get(self, flags: Any, offset: int) -> Any:  # noqa: N802
        self.scalar = flags
        return flags.py_type(0)

    def String(self, offset: int) -> bytes:  # noqa: N802
        return b""

    def Union(self, table: Any, offset: int) -> None:  # noqa: N802
        self.is_union = True
