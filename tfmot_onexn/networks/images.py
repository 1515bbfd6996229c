"""Images that stay small in memory until a batch needs them.

A source gives pixels ``[count, size, size, 3]``, red first, from 0 to 255: uint8, or
float32 where it holds finer shades. Arrays stay as they came, files and JPEG bytes stay
encoded, so a folder of a million photographs costs no more than its paths.
"""

import abc
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

# left, top, right, bottom in pixels of the stored image
Box = tuple[float, float, float, float]
# (position in the batch, width, height of the stored image) -> the part to show
ChooseBox = Callable[[int, int, int], Box]


class Images(abc.ABC):
    """Square colour images by index.

    Attributes:
      size: height and width of what `take` returns.
      dtype: of what it returns.
    """

    dtype: np.dtype = np.dtype(np.uint8)

    def __init__(self, size: int, threads: int | None = None):
        """Keeps the size and how many threads decode (one per processor by default)."""
        self.size = size
        self._threads = threads or os.cpu_count() or 1

    @abc.abstractmethod
    def __len__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Count, height, width and channels."""
        return (len(self), self.size, self.size, 3)

    def take(
        self, indices: Sequence[int] | np.ndarray, choose_box: ChooseBox | None = None
    ) -> np.ndarray:
        """Returns pixels of some images ``[len(indices), size, size, 3]``, in order.

        Args:
          indices: of the images.
          choose_box: which part of each image to show; `centre_box` by default.

        Raises:
          ValueError: naming the image that cannot be read.
        """
        pixels = np.empty((len(indices), *self.shape[1:]), self.dtype)

        def fill(positions: np.ndarray) -> None:
            for position in positions:
                bands = self._bands(int(indices[position]))
                width, height = bands[0].size
                if choose_box is None:
                    box = centre_box(width, height, self.size)
                else:
                    box = choose_box(int(position), width, height)
                shape = (self.size, self.size)
                shown = [
                    np.asarray(band.resize(shape, Image.Resampling.BILINEAR, box))
                    for band in bands
                ]
                # one image of three channels, or three of one
                pixels[position] = shown[0] if len(bands) == 1 else np.dstack(shown)

        parts = np.array_split(np.arange(len(indices)), self._threads)
        if len(parts) == 1:
            fill(parts[0])
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(fill, parts))
        return pixels

    @abc.abstractmethod
    def _bands(self, index: int) -> list[Image.Image]:
        """Returns an image, as one in RGB or as three of one channel each."""


class ArrayImages(Images):
    """Images held as an array.

    Args:
      pixels: uint8 or float32 ``[count, height, width, 3]``, or grey
        ``[count, height, width]``; from 0 to 255.
      size: to bring them to, by default the height they have.
    """

    def __init__(self, pixels: np.ndarray, size: int | None = None):
        grey = pixels.ndim == 3
        if not grey and (pixels.ndim != 4 or pixels.shape[-1] != 3):
            raise ValueError(
                "Images are [count, height, width, 3] or [count, height, width], found "
                f"an array of shape {pixels.shape}."
            )
        if pixels.dtype not in (np.uint8, np.float32):
            raise ValueError(
                f"Images are uint8 or float32 from 0 to 255, found {pixels.dtype}."
            )
        super().__init__(size or pixels.shape[1])
        if grey:
            # a view: a grey image takes three channels only once it is taken
            pixels = np.broadcast_to(pixels[..., None], (*pixels.shape, 3))
        self._pixels, self.dtype = pixels, pixels.dtype

    def __len__(self) -> int:
        return len(self._pixels)

    def take(
        self, indices: Sequence[int] | np.ndarray, choose_box: ChooseBox | None = None
    ) -> np.ndarray:
        if choose_box is None and self._pixels.shape == self.shape:
            return self._pixels[indices]
        return super().take(indices, choose_box)

    def _bands(self, index: int) -> list[Image.Image]:
        pixels = self._pixels[index]
        if pixels.dtype == np.uint8:
            return [Image.fromarray(pixels)]
        # Pillow has no colour images of floats
        return [Image.fromarray(channel) for channel in np.moveaxis(pixels, -1, 0)]


class EncodedImages(Images):
    """Images decoded anew each time they are taken.

    Args:
      names: a path for each image; with ``contents``, what error messages call it.
      size: to bring them to.
      contents: the bytes of each image, or None to read them from the paths.
      threads: that decode, one per processor by default.
    """

    def __init__(
        self,
        names: Sequence[str],
        size: int,
        *,
        contents: Sequence[bytes | memoryview] | None = None,
        threads: int | None = None,
    ):
        super().__init__(size, threads)
        self._names, self._contents = names, contents

    def __len__(self) -> int:
        return len(self._names)

    def _bands(self, index: int) -> list[Image.Image]:
        name = self._names[index]
        try:
            file = name if self._contents is None else io.BytesIO(self._contents[index])
            with Image.open(file) as image:
                return [image.convert("RGB")]
        except Exception as error:  # Pillow's decoders raise exceptions of many kinds
            reason = str(error).replace("\n", " ") or type(error).__name__
            raise ValueError(
                f"Cannot read the image {name}: {reason}. Repair it or take it out."
            ) from error


def centre_box(width: int, height: int, size: int) -> Box:
    """Returns the part of an image that a network is tested on.

    A square in the middle, 7/8 of the shorter side as is usual on ImageNet (256 pixels
    of which 224 are shown). It never has fewer pixels than shown, and an image with
    fewer is used from edge to edge.
    """
    short = min(width, height)
    side = min(short, max(size, short * 7 / 8))
    # whole pixels, so that nothing is blurred where nothing is scaled
    left, top = int((width - side) / 2), int((height - side) / 2)
    return (left, top, left + side, top + side)
