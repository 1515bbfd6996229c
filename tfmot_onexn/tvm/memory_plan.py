"""Where buffers lie in one piece of memory, so that few bytes do for all of them."""

import dataclasses
from collections.abc import Sequence

# of every buffer: a cache line, and TVM's kernels expect it
ALIGNMENT = 64


@dataclasses.dataclass(frozen=True)
class Lifetime:
    """When a buffer is needed.

    Attributes:
      size: bytes.
      first: the step that writes it.
      last: the last step that reads it, not before ``first``.
    """

    size: int
    first: int
    last: int

    def meets(self, other: "Lifetime") -> bool:
        """Whether both are needed in some step."""
        return self.first <= other.last and other.first <= self.last


def aligned(size: int) -> int:
    """Returns a size with what lies between it and the next buffer."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """Places buffers, the largest first, each in the smallest gap that it fits.

    This is "Greedy by Size" of Pisarchyk and Lee, Efficient Memory Management for Deep
    Neural Net Inference (2020).

    Args:
      lifetimes: of all buffers.

    Returns:
      The offset of each, a multiple of `ALIGNMENT`, and the size of the whole. Buffers
      that are needed in the same step do not overlap.
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    whole = 0
    for index in sorted(range(len(lifetimes)), key=lambda i: -lifetimes[i].size):
        one = lifetimes[index]
        size = aligned(one.size)
        taken = sorted(
            (offsets[i], offsets[i] + aligned(lifetimes[i].size))
            for i in placed
            if lifetimes[i].meets(one)
        )
        best, least = None, None
        end = 0
        for start, stop in taken:
            gap = start - end
            if gap >= size and (least is None or gap < least):
                best, least = end, gap
            end = max(end, stop)
        offsets[index] = end if best is None else best
        whole = max(whole, offsets[index] + size)
        placed.append(index)
    return offsets, whole
