"""How fast the depthwise convolutions of TVM builds are, beside XNNPACK's.

Those of networks at 224x224, with ReLU6: multiply-accumulates and bytes per second, of
the input, the output and the weights once each. One thread; both take turns.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import tf_keras

from tfmot_onexn.benchmark.latency import Track, untracked
from tfmot_onexn.experiments.speed.kernel_timing import (
    Spread,
    in_litert,
    require_equal,
    take_turns,
)
from tfmot_onexn.networks import models

NETWORKS = ("mobilenet", "mobilenet_v2", "mobilenet_v3_large")
_ROUNDS = 8


@dataclasses.dataclass(frozen=True)
class DepthwiseShape:
    """A depthwise convolution, padded so that the stride divides its input.

    Attributes:
      size: height and width of the input.
      channels: of input and output.
      taps: height and width of the window.
      stride: in both directions.
    """

    size: int
    channels: int
    taps: int = 3
    stride: int = 1

    @property
    def outputs(self) -> int:
        """Height and width of the output."""
        return -(-self.size // self.stride)

    @property
    def macs(self) -> int:
        """Multiply-accumulates, those with the padding's zeros too."""
        return self.outputs**2 * self.taps**2 * self.channels

    @property
    def bytes(self) -> int:
        """Of input, output and weights."""
        return 4 * self.channels * (self.size**2 + self.outputs**2 + self.taps**2)

    @property
    def padding(self) -> tuple[int, int, int, int]:
        """At the top, left, bottom and right."""
        total = max((self.outputs - 1) * self.stride + self.taps - self.size, 0)
        before, after = total // 2, total - total // 2
        return before, before, after, after


@dataclasses.dataclass(frozen=True)
class DepthwiseResult:
    """What was measured of a kernel.

    Attributes:
      shape: of the layer.
      microseconds: of a run.
      gmacs: 1e9 multiply-accumulates per second.
      gigabytes: read and written per second.
      litert: XNNPACK's time over the kernel's.
    """

    shape: DepthwiseShape
    microseconds: Spread
    gmacs: Spread
    gigabytes: Spread
    litert: Spread


def default_shapes(networks: Sequence[str] = NETWORKS) -> list[DepthwiseShape]:
    """Returns the shapes of networks at 224x224, each once."""
    found = []
    for network in networks:
        for layer in models.build(network, input_shape=(224, 224, 3)).layers:
            if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
                # the layer sees an input that a layer of its own has padded
                (taps, _), (stride, _) = layer.kernel_size, layer.strides
                _, outputs, _, channels = layer.output_shape
                shape = DepthwiseShape(outputs * stride, channels, taps, stride)
                found.append(shape)
    return list(dict.fromkeys(found))


def measure(
    measured: Sequence[DepthwiseShape],
    *,
    rounds: int = _ROUNDS,
    seed: int = 0,
    track: Track = untracked,
) -> list[DepthwiseResult]:
    """Measures kernels.

    Args:
      measured: shapes.
      rounds: turns of each kernel.
      seed: of images and the order of turns.
      track: shows progress.

    Raises:
      ValueError: if a kernel computes something else than LiteRT.
    """
    # else TVM takes all threads of the machine
    os.environ["TVM_NUM_THREADS"] = "1"
    os.environ.setdefault("TVM_BIND_THREADS", "0")
    shown = track(measured, len(measured), "Timing depthwise kernels")
    return [_measure_shape(shape, rounds, seed) for shape in shown]


def _measure_shape(shape: DepthwiseShape, rounds: int, seed: int) -> DepthwiseResult:
    # asked for before it is imported, see `extra.require`
    from tfmot_onexn.tvm.one_layer import Compiled, Convolution

    rng = np.random.default_rng(seed)
    images = rng.normal(size=(1, shape.size, shape.size, shape.channels))
    images = images.astype(np.float32)
    layer = tf_keras.layers.DepthwiseConv2D(
        shape.taps, shape.stride, "same", activation="relu6"
    )
    litert = in_litert(layer, images)
    weights, bias = layer.get_weights()
    convolution = Convolution(weights, bias, shape.stride, shape.padding)
    ours = Compiled(convolution, images)
    require_equal(ours(), litert(), f"The kernel of {shape}, beside LiteRT,")
    seconds = take_turns({"ours": ours.seconds, "litert": litert.seconds}, rounds, rng)
    own = seconds["ours"]
    return DepthwiseResult(
        shape,
        microseconds=Spread.of(1e6 * own),
        gmacs=Spread.of(shape.macs / own / 1e9),
        gigabytes=Spread.of(shape.bytes / own / 1e9),
        litert=Spread.of(seconds["litert"] / own),
    )
