"""How a window moves over a feature map ``[batch, height, width, channels]``."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Window:
    """A window and the feature map it moves over.

    Attributes:
      batch: images.
      height: of the input.
      width: of the input.
      taps: rows and columns of the window.
      strides: down and to the right.
      dilation: down and to the right.
      padding: at the top, left, bottom and right.
    """

    batch: int
    height: int
    width: int
    taps: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width with the padding."""
        top, left, bottom, right = self.padding
        return self.height + top + bottom, self.width + left + right

    @property
    def outputs(self) -> tuple[int, int]:
        """Height and width of the output."""
        height, width = (
            (size - (taps - 1) * dilation - 1) // stride + 1
            for size, taps, stride, dilation in zip(
                self.padded, self.taps, self.strides, self.dilation, strict=True
            )
        )
        return height, width

    @property
    def moves_only(self) -> bool:
        """Whether it is a single pixel, at every position."""
        return self.taps == (1, 1) and self.strides == (1, 1) and not any(self.padding)
