"""Copies feature maps into larger ones."""

from tvm.tirx.script.builder import ir as tir

from tfmot_onexn.tvm.kernels.tir import Buffer, Value, copy, store
from tfmot_onexn.tvm.kernels.window import Window


def copy_padded(x: Buffer, y: Buffer, window: Window, channels: int) -> None:
    """Emits a copy of a feature map with zeros around it."""
    height, width = window.padded
    top, left, _, right = window.padding
    size = window.width * channels
    with tir.serial(0, window.batch) as image, tir.parallel(0, height) as row:
        at = (image * height + row) * width * channels
        with tir.If(tir.And(row >= top, row < top + window.height)):
            with tir.Then():
                _clear(y, at, left * channels)
                source = (image * window.height + row - top) * size
                copy(x, source, y, at + left * channels, size)
                _clear(y, at + (left + window.width) * channels, right * channels)
            with tir.Else():
                _clear(y, at, width * channels)


def _clear(y: Buffer, first: Value, count: int) -> None:
    if count:
        with tir.serial(0, count) as i:
            store(y, first + i, tir.float32(0), 1)
