"""How feature maps are divided where layers are computed together."""

import dataclasses

from tfmot_onexn.tvm.kernels.channels import chunks
from tfmot_onexn.tvm.kernels.window import Window

# of the L1 cache, for a slice of the rows that a window reads
_SLICE_BYTES = 40 << 10
_WIDEST_SLICE = 48
# threads that share a map; each computes rows that its neighbour has too
_SHARES = 2


@dataclasses.dataclass(frozen=True)
class Division:
    """A map in shares, strips and slices.

    Attributes:
      rows: of the output in a strip.
      strips: of a share, computed one after the other.
      shares: of the output, one for each thread.
      slice: channels of the input that are computed together.
      read: rows of the input that a strip reads.
      kept: of these, rows that the strip before has.
      fewest: rows of the input that a strip computes, at least.
    """

    rows: int
    strips: int
    shares: int
    slice: int
    read: int
    kept: int
    fewest: int


def divide(window: Window, channels: int, n: int, lanes: int) -> Division | None:
    """Divides a map that a window moves over, None where that is of no use.

    Args:
      window: and the feature map.
      channels: of the input, which has to be computed.
      n: of these that are computed together.
      lanes: floats in a vector.
    """
    slice_ = _slice(channels, n, lanes)
    stride = window.strides[0]
    read = (window.taps[0] - 1) * window.dilation[0] + 1
    if window.batch != 1 or read < stride or slice_ is None:
        return None
    top, _, bottom, _ = window.padding
    found = None
    for rows in range(1, window.outputs[0]):
        strips, left = divmod(window.outputs[0], rows)
        # of the first strip, or of the last
        fewest = min(window.height, rows * stride - max(top, bottom))
        bytes_ = 4 * read * window.width * slice_
        is_large = found is not None and bytes_ > _SLICE_BYTES
        if not left and fewest > 0 and not is_large:
            shares = _SHARES if strips % _SHARES == 0 else 1
            if found is None or shares >= found.shares:
                strips //= shares
                kept = read - rows * stride
                found = Division(rows, strips, shares, slice_, read, kept, fewest)
        read += stride
    return found


def _slice(channels: int, n: int, lanes: int) -> int | None:
    """Returns the narrowest slice with the fewest vectors for a channel."""

    def cost(width: int) -> tuple[float, int]:
        return sum(count for _, count, _ in chunks(width, lanes)) / width, width

    widths = range(n, min(channels, _WIDEST_SLICE) + 1, n)
    return min(
        (each for each in widths if channels % each == 0), key=cost, default=None
    )
