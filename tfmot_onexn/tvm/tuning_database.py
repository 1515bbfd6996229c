"""Tiles that were found for kernels, in JSON; some come with the package.

```json
{"kind": "tfmot_onexn tiles", "schema": 1, "entries": {"avx512": {
  "product 196x384>64 n16 1/2": {
    "tile": {"most_pixels": 14}, "default_us": 10.5, "best_us": 9.8, "gain": 1.07,
    "code": "5f0c…", "machine": "…", "tvm": "0.27.0"}}}}
```

An entry is for an ISA and the shape of a kernel: pixels, input and output channels, n,
and about which share of its blocks is stored, as a power of one half, since no two
pruned networks store quite as many. An empty tile means the processor's. The code tells
whether kernels are still written as they were: what was found for others means nothing.
"""

import dataclasses
import functools
import json
import math
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tvm_ffi

from tfmot_onexn.networks import files
from tfmot_onexn.tvm import tiles
from tfmot_onexn.tvm.kernels.convolution import Convolution
from tfmot_onexn.tvm.kernels.depthwise import Depthwise
from tfmot_onexn.tvm.kernels.product import Product
from tfmot_onexn.tvm.kernels.window import Window
from tfmot_onexn.tvm.layers import Kernel
from tfmot_onexn.tvm.tiles import Tile

SCHEMA = 1
SHIPPED = pathlib.Path(__file__).with_name("tuned.json")
_KIND = "tfmot_onexn tiles"
# with fewer blocks than one in so many, a power of two, they are all the same
_MOST_ZEROS = 3
# what may stand in an entry
_FIELDS: dict[str, Collection[Any]] = {
    "lanes": (4, 8, 16),
    "depthwise": range(1, 29),
    "least_direct": range(33),
    "most_pixels": range(1, 129),
    "transposes": (False, True),
}


@dataclasses.dataclass(frozen=True)
class Choice:
    """What was found for a kernel.

    Attributes:
      tile: what differs from the processor's, by the fields of `Tile`.
      default_us: median with the processor's tile.
      best_us: median with this one.
      gain: median of the ratios of both, round by round, in the cache or outside,
        where it is less; above 1 is faster.
      code: `fingerprint` of the kernel.
    """

    tile: dict[str, Any]
    default_us: float
    best_us: float
    gain: float
    code: str

    def applied(self, tile: Tile) -> Tile:
        """Returns the processor's tile with the changes."""
        return dataclasses.replace(tile, **self.tile)


def changes(tile: Tile, own: Tile) -> dict[str, Any]:
    """Returns in which fields a tile differs from the processor's."""
    return {
        field.name: getattr(tile, field.name)
        for field in dataclasses.fields(Tile)
        if getattr(tile, field.name) != getattr(own, field.name)
    }


def signature(kernel: Kernel) -> str | None:
    """Returns what tells a kernel from others; None for those without a choice."""
    if isinstance(kernel, Product):
        pixels = math.prod(kernel.shape[:-1])
        blocks = _blocks(kernel, kernel.shape[-1]) + _pitches(kernel)
        return f"product {pixels}x{kernel.columns}>{kernel.shape[-1]} {blocks}"
    if isinstance(kernel, Convolution):
        window, blocks = _window(kernel.window), _blocks(kernel, kernel.rows)
        return f"convolution {window} {kernel.columns}>{kernel.rows} {blocks}"
    if isinstance(kernel, Depthwise):
        return f"depthwise {_window(kernel.window)} {kernel.channels}{_pitches(kernel)}"
    return None


def fingerprint(kernel: Kernel, tile: Tile) -> str:
    """Returns what changes with the code of a kernel for the processor's tile.

    It is the same for kernels with the same signature.
    """
    if isinstance(kernel, Product | Convolution):
        rows = kernel.rows if isinstance(kernel, Convolution) else kernel.shape[-1]
        every = rows // kernel.n * kernel.columns
        blocks = max(1, every >> _halvings(kernel, rows))
        kernel = dataclasses.replace(kernel, blocks=blocks)
    if isinstance(kernel, Product | Convolution | Depthwise):
        kernel = dataclasses.replace(kernel, steps=())
    code = tvm_ffi.structural_hash(kernel.function("kernel", tile))
    return f"{code % 2**64:016x}"


def _blocks(kernel: Product | Convolution, rows: int) -> str:
    return f"n{kernel.n} 1/{2 ** _halvings(kernel, rows)}"


def _halvings(kernel: Product | Convolution, rows: int) -> int:
    stored = kernel.blocks * kernel.n / (rows * kernel.columns)
    return min(_MOST_ZEROS, max(0, round(-math.log2(stored))))


def _pitches(kernel: Product | Depthwise) -> str:
    """Returns from where to where pixels are set apart, if they are."""
    pitches = kernel.x_pitch, kernel.y_pitch
    return f" pitch {pitches[0]}>{pitches[1]}" if any(pitches) else ""


def _window(window: Window) -> str:
    parts = ["x".join(map(str, (window.batch, window.height, window.width)))]
    parts.append("x".join(map(str, window.taps)))
    for name, value in (("s", window.strides), ("d", window.dilation)):
        if value != (1, 1):
            parts.append(f"{name}{'x'.join(map(str, value))}")
    if any(window.padding):
        parts.append(f"p{','.join(map(str, window.padding))}")
    return " ".join(parts)


@dataclasses.dataclass(frozen=True)
class Database:
    """Choices by ISA and signature, and where each was measured."""

    entries: Mapping[str, Mapping[str, Choice]]
    origins: Mapping[tuple[str, str], Mapping[str, str]]


class Chooser:
    """Chooses tiles: what `rewrite` asks.

    Attributes:
      stale: signatures of kernels of the first database whose code is another now.
    """

    def __init__(self, tile: Tile, databases: Sequence[Database]) -> None:
        """Takes choices for an ISA.

        Args:
          tile: of the processor, for kernels that no database knows.
          databases: the first that knows a kernel chooses.
        """
        self.stale: list[str] = []
        self._tile = tile
        self._databases = [each.entries.get(tiles.isa(tile), {}) for each in databases]

    def __call__(self, kernel: Kernel) -> Tile:
        """Returns the tile for a kernel."""
        key = signature(kernel) or ""
        known = [each[key] for each in self._databases if key in each]
        if not known:
            return self._tile
        code = fingerprint(kernel, self._tile)
        fresh = [choice for choice in known if choice.code == code]
        first = self._databases[0].get(key)
        if first is not None and first.code != code:
            self.stale.append(key)
        return fresh[0].applied(self._tile) if fresh else self._tile


@functools.cache
def shipped() -> Database:
    """Returns what comes with the package."""
    return load(SHIPPED)


def load(path: str | os.PathLike) -> Database:
    """Reads a database.

    Raises:
      ValueError: if it cannot be read, or is none.
    """
    try:
        document = json.loads(pathlib.Path(path).read_text("utf-8"))
    except OSError as error:
        raise ValueError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(_no_database(path, "it is no JSON")) from error
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise ValueError(_no_database(path, f"its kind is not {_KIND!r}"))
    if document.get("schema") != SCHEMA:
        raise ValueError(
            f"{path} has schema {document.get('schema')!r}, expected {SCHEMA}; write "
            "it anew with `onexn tune`."
        )
    entries: dict[str, dict[str, Choice]] = {}
    origins = {}
    try:
        for isa, found in document["entries"].items():
            entries[isa] = {}
            for key, entry in found.items():
                entries[isa][key] = _choice(entry)
                origins[isa, key] = {
                    "machine": str(entry["machine"]),
                    "tvm": str(entry["tvm"]),
                }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(_no_database(path, f"an entry is damaged: {error}")) from error
    return Database(entries, origins)


def _no_database(path: str | os.PathLike, reason: str) -> str:
    return (
        f"{path} is no tuning database: {reason}. Name a file that `onexn tune` wrote."
    )


def _choice(entry: Mapping[str, Any]) -> Choice:
    tile = dict(entry["tile"])
    for name, value in tile.items():
        if name not in _FIELDS:
            raise ValueError(f"a tile has no {name!r}")
        allowed = _FIELDS[name]
        if value not in allowed or type(value) is not type(next(iter(allowed))):
            raise ValueError(f"{name} is {value!r}")
    return Choice(
        tile,
        float(entry["default_us"]),
        float(entry["best_us"]),
        float(entry["gain"]),
        str(entry["code"]),
    )


def write(
    path: str | os.PathLike,
    isa: str,
    choices: Mapping[str, Choice],
    *,
    machine: str,
    tvm: str,
) -> None:
    """Adds choices to a database, which is written whole or not at all.

    Args:
      path: of the file; entries for other kernels or ISAs that it has stay.
      isa: of the machine.
      choices: by signature.
      machine: on which they were found.
      tvm: its version.

    Raises:
      ValueError: if the file is no database, or cannot be written.
    """
    there = load(path) if pathlib.Path(path).exists() else Database({}, {})
    entries = {
        each: {
            key: {**dataclasses.asdict(choice), **there.origins[each, key]}
            for key, choice in found.items()
        }
        for each, found in there.entries.items()
    }
    origin = {"machine": machine, "tvm": tvm}
    for key, choice in choices.items():
        entries.setdefault(isa, {})[key] = {**_rounded(choice), **origin}
    ordered = {each: dict(sorted(entries[each].items())) for each in sorted(entries)}
    document = {"kind": _KIND, "schema": SCHEMA, "entries": ordered}
    files.write(path, json.dumps(document, indent=1) + "\n")


def _rounded(choice: Choice) -> dict[str, Any]:
    return {
        "tile": choice.tile,
        "default_us": round(choice.default_us, 2),
        "best_us": round(choice.best_us, 2),
        "gain": round(choice.gain, 3),
        "code": choice.code,
    }
