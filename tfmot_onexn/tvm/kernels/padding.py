"""Copies feature maps into larger ones."""

from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels.tir import Buffer, Value, copy, store
from tfmot_onexn.tvm.kernels.window import Window


def copy_padded(
    x: Buffer, y: Buffer, window: Window, channels: int, pitch: int = 0
) -> None:
    """Emits a copy of a feature map with zeros around it.

    Args:
      x: the feature map.
      y: gets the copy.
      window: that has the padding.
      channels: of a pixel.
      pitch: floats from a pixel of the copy to the next; 0 for ``channels``.
    """
    height, width = window.padded
    top, left, _, right = window.padding
    pitch = pitch or channels
    with tir.serial(0, window.batch) as image, tir.parallel(0, height) as row:
        at = (image * height + row) * width * pitch
        with tir.If(tir.And(row >= top, row < top + window.height)):
            with tir.Then():
                _clear(y, at, left * pitch)
                first = (image * window.height + row - top) * window.width
                target = at + left * pitch
                if pitch == channels:
                    copy(x, first * channels, y, target, window.width * channels)
                else:
                    with tir.serial(0, window.width) as column:
                        source = (first + column) * channels
                        copy(x, source, y, target + column * pitch, channels)
                _clear(y, at + (left + window.width) * pitch, right * pitch)
            with tir.Else():
                _clear(y, at, width * pitch)


def _clear(y: Buffer, first: Value, count: int) -> None:
    if count:
        with tir.serial(0, count) as i:
            store(y, first + i, tir.float32(0), 1)
