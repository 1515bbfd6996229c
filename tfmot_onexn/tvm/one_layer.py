"""A single convolution, compiled as a build has it, to be run and timed alone."""

import dataclasses

import numpy as np
import tvm
from tvm import relax

from tfmot_onexn import targets
from tfmot_onexn.tvm import processors, rewrite, tuning_database
from tfmot_onexn.tvm.graph import Graph, operation, shape_of

_MAIN = "main"


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution with bias and ReLU6.

    Attributes:
      kernel: ``[kh, kw, in, out]``, or of a depthwise one ``[kh, kw, channels, 1]``.
      bias: ``[out]``.
      stride: in both directions.
      padding: at the top, left, bottom and right.
    """

    kernel: np.ndarray
    bias: np.ndarray
    stride: int = 1
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)


class Compiled:
    """A convolution that is ready to run on this machine, one thread.

    Attributes:
      kernel: the generator of its function; see `layers`.
    """

    def __init__(self, convolution: Convolution, images: np.ndarray):
        """Compiles it.

        Args:
          convolution: a depthwise one if its kernel has as many inputs as the images
            and one output.
          images: ``[batch, height, width, channels]``, what it reads.

        Raises:
          ValueError: if the rewriting of networks has no kernel for it.
        """
        target, tile = processors.processor(targets.HOST)
        choose = tuning_database.Chooser(tile, [tuning_database.shipped()])
        module = _module(convolution, images.shape)
        rewritten = rewrite.rewrite(module, tile, choose)
        graph = Graph(rewritten.module[_MAIN])
        bindings = graph.bindings
        if rewritten.left or [operation(each) for each in bindings] != ["call_tir"]:
            raise ValueError(
                f"A convolution of {list(convolution.kernel.shape)} on "
                f"{list(images.shape)} is no single kernel: "
                f"{[operation(each) for each in bindings]}."
            )
        ((name, self.kernel),) = rewritten.kernels
        function, arguments = bindings[0].value.args[:2]
        # a network's functions are private
        public = rewritten.module[function].with_attr("global_symbol", name)
        compiled = tvm.compile(tvm.IRModule({name: public}), target)
        self._run = compiled[name]
        self._timed = compiled.mod.time_evaluator
        self._name = name
        output = np.full(shape_of(bindings[0].var), np.nan, np.float32)
        constants = [graph.constant(argument) for argument in arguments]
        self._tensors = [
            tvm.runtime.tensor(np.ascontiguousarray(array, array.dtype))
            for array in (
                *(images if array is None else array for array in constants),
                output,
            )
        ]

    def __call__(self) -> np.ndarray:
        """Returns the output ``[batch, height', width', out]``."""
        self._run(*self._tensors)
        return self._tensors[-1].numpy()

    def seconds(self, runs: int) -> np.ndarray:
        """Returns the seconds of so many runs."""
        evaluator = self._timed(self._name, tvm.cpu(), number=1, repeat=runs)
        return np.array(evaluator(*self._tensors).results)


def _module(convolution: Convolution, shape: tuple[int, ...]) -> tvm.IRModule:
    kernel = convolution.kernel.astype(np.float32)
    is_depthwise = kernel.shape[2:] == (shape[-1], 1)
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    builder = relax.BlockBuilder()
    with builder.function(_MAIN, [x]):
        with builder.dataflow():
            y = builder.emit(
                relax.op.nn.conv2d(
                    x,
                    relax.const(kernel),
                    strides=(convolution.stride, convolution.stride),
                    padding=convolution.padding,
                    groups=shape[-1] if is_depthwise else 1,
                    data_layout="NHWC",
                    kernel_layout="HWOI" if is_depthwise else "HWIO",
                )
            )
            bias = relax.const(convolution.bias.astype(np.float32))
            y = builder.emit(relax.op.add(y, bias))
            y = builder.emit_output(relax.op.clip(y, 0.0, 6.0))
        builder.emit_func_output(y)
    return builder.get()
