"""How much of a feature map kernels take at once: one line per ISA."""

import dataclasses
import math

# floats of a cache line, and the sets of L1 caches
LINE = 16
_SETS = 64


@dataclasses.dataclass(frozen=True)
class Tile:
    """What fits a processor's registers.

    Attributes:
      lanes: floats in a vector.
      registers: of vectors.
      depthwise: outputs of a row that a depthwise kernel keeps.
      least_direct: rows of blocks that are narrower go through a transposed panel.
      ways: lines in a set of the L1 cache.
      most_pixels: that have a sum at once; None for as many as fit.
      transposes: whether pixels of wide blocks are transposed too; None where the
        shape lets it pay.
    """

    lanes: int
    registers: int
    depthwise: int
    least_direct: int
    ways: int = 8
    most_pixels: int | None = None
    transposes: bool | None = None

    def pixels(self, width: int) -> int:
        """Returns how many pixels of a row of ``width`` channels have a sum."""
        vectors = max(1, width // self.lanes)
        fitting = max(1, min(28, (self.registers - 2 - vectors) // vectors))
        return fitting if self.most_pixels is None else min(fitting, self.most_pixels)

    def resident(self, columns: int) -> int:
        """Returns of how many pixels the L1 cache keeps the same channel."""
        if columns % LINE:
            return self.ways * _SETS
        return self.ways * _SETS // math.gcd(_SETS, columns // LINE)


AVX512 = Tile(lanes=16, registers=32, depthwise=7, least_direct=16, ways=12)
AVX2 = Tile(lanes=8, registers=16, depthwise=4, least_direct=8)
NEON64 = Tile(lanes=4, registers=32, depthwise=4, least_direct=4)
NEON32 = Tile(lanes=4, registers=16, depthwise=2, least_direct=4)

ISAS = {"avx512": AVX512, "avx2": AVX2, "neon64": NEON64, "neon32": NEON32}


def isa(tile: Tile) -> str:
    """Returns the name of the ISA that a tile of `ISAS` is for."""
    return next(name for name, each in ISAS.items() if each == tile)
