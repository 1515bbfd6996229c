"""`.tflite` files put together operator by operator, and how to run them."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.tflite import flatbuffer, sparse_encoding

NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)
SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.float16): schema.TensorType.FLOAT16,
    np.dtype(np.int32): schema.TensorType.INT32,
}


def block_kernel(rng, shape, n, density=0.4):
    """Returns a kernel ``[O, ..., I]`` of 1xn blocks, no block row without one."""
    kept = rng.random((shape[0] // n, shape[-1])) < density
    kept[:, 0] = True
    kept[0, -1] = False
    mask = np.repeat(kept, n, axis=0).reshape(shape[0], *[1] * (len(shape) - 2), -1)
    scale = 1 / np.sqrt(density * np.prod(shape[1:]))
    return (rng.normal(size=shape) * scale * mask).astype(np.float32)


def invoke(loaded, seed=0):
    """Runs a model on random numbers; returns all its outputs."""
    rng = np.random.default_rng(seed)
    for given in loaded.get_input_details():
        values = rng.normal(size=given["shape"]).astype(np.float32)
        loaded.set_tensor(given["index"], values)
    loaded.invoke()
    return [loaded.get_tensor(out["index"]) for out in loaded.get_output_details()]


def difference(found, expected):
    """The largest difference over the largest value, of pairs of outputs."""
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
    return max(
        float(np.abs(a - b).max() / np.abs(b).max())
        for a, b in zip(found, expected, strict=True)
    )


class SmallFile:
    """A graph under construction; tensors are named by their index.

    Args:
      half: store constants as float16, each behind a DEQUANTIZE.
    """

    def __init__(self, half=False):
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes = []
        self.model.buffers = [schema.BufferT()]
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model.subgraphs = [self.graph]
        self.half = half

    def shape(self, tensor):
        return [int(size) for size in self.graph.tensors[tensor].shape]

    def input(self, shape):
        self.graph.inputs.append(self._tensor(shape, np.float32, "input"))
        return self.graph.inputs[-1]

    def output(self, *tensors):
        self.graph.outputs += tensors

    def constant(self, values):
        values = np.asarray(values)
        if values.dtype != np.int32:
            values = values.astype(np.float16 if self.half else np.float32)
        stored = self._tensor(values.shape, values.dtype, "constant")
        self.graph.tensors[stored].buffer = len(self.model.buffers)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        if values.dtype != np.float16:
            return stored
        return self.operator("DEQUANTIZE", [stored], values.shape)

    def operator(self, name, inputs, shape, options=None, **values):
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(getattr(schema.BuiltinOperator, name))
        operator.inputs = np.array(inputs, np.int32)
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")()
            for key, value in values.items():
                setattr(operator.builtinOptions, key, value)
        output = self._tensor(shape, np.float32, name.lower())
        operator.outputs = np.array([output], np.int32)
        self.graph.operators.append(operator)
        return output

    def conv(
        self, x, kernel, bias=None, *, stride=1, dilation=1, padding=SAME, act=NONE
    ):
        """A convolution with a kernel ``[O, kh, kw, I]``."""
        shape = self._convolved(self.shape(x), kernel, stride, dilation, padding)
        return self.operator(
            "CONV_2D",
            self._inputs(x, kernel, bias),
            [*shape, kernel.shape[0]],
            "Conv2DOptions",
            **self._window(stride, dilation, padding, act),
        )

    def conv_of(self, x, kernel, bias, outputs):
        """A 1x1 convolution whose kernel and bias are tensors."""
        return self.operator(
            "CONV_2D",
            [x, kernel, bias],
            [*self.shape(x)[:3], outputs],
            "Conv2DOptions",
            **self._window(1, 1, SAME, NONE),
        )

    def depthwise(self, x, kernel, bias=None, *, stride=1, padding=SAME, act=NONE):
        """A depthwise convolution with a kernel ``[1, kh, kw, C]``."""
        shape = self._convolved(self.shape(x), kernel, stride, 1, padding)
        return self.operator(
            "DEPTHWISE_CONV_2D",
            self._inputs(x, kernel, bias),
            [*shape, kernel.shape[3]],
            "DepthwiseConv2DOptions",
            depthMultiplier=kernel.shape[3] // self.shape(x)[3],
            **self._window(stride, 1, padding, act),
        )

    def dense(self, x, kernel, bias=None, *, keep=False, act=NONE):
        """A fully connected layer with a kernel ``[O, I]``."""
        given = self.shape(x)
        shape = given[:-1] if keep else [int(np.prod(given)) // kernel.shape[1]]
        return self.operator(
            "FULLY_CONNECTED",
            self._inputs(x, kernel, bias),
            [*shape, kernel.shape[0]],
            "FullyConnectedOptions",
            keepNumDims=keep,
            fusedActivationFunction=act,
        )

    def hard_swish(self, x):
        return self.operator("HARD_SWISH", [x], self.shape(x), "HardSwishOptions")

    def pad(self, x, top, bottom, left, right):
        sizes = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        b, h, w, c = self.shape(x)
        shape = [b, h + top + bottom, w + left + right, c]
        return self.operator("PAD", [x, self.constant(sizes)], shape, "PadOptions")

    def add(self, x, y, act=NONE):
        return self.operator(
            "ADD", [x, y], self.shape(x), "AddOptions", fusedActivationFunction=act
        )

    def multiply(self, x, y):
        return self.operator("MUL", [x, y], self.shape(x), "MulOptions")

    def mean(self, x, axes=(1, 2)):
        axes = self.constant(np.array(axes, np.int32))
        b, _, _, c = self.shape(x)
        return self.operator(
            "MEAN", [x, axes], [b, 1, 1, c], "ReducerOptions", keepDims=True
        )

    def content(self):
        """Returns the file, its kernels of blocks stored as sparse tensors."""
        return sparse_encoding.encode(flatbuffer.write(self.model))

    def _tensor(self, shape, dtype, name):
        tensor = schema.TensorT()
        index = len(self.graph.tensors)
        tensor.name = f"{name}_{index}".encode()
        tensor.shape = np.array(shape, np.int32)
        tensor.type = _TYPES[np.dtype(dtype)]
        tensor.buffer = 0
        self.graph.tensors.append(tensor)
        return index

    def _code(self, builtin):
        for index, code in enumerate(self.model.operatorCodes):
            if code.builtinCode == builtin:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode = builtin
        code.deprecatedBuiltinCode = builtin
        code.version = 1
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def _inputs(self, x, kernel, bias):
        outputs = kernel.shape[3] if kernel.shape[0] == 1 else kernel.shape[0]
        if bias is None:
            bias = np.linspace(-0.5, 0.5, outputs)
        return [x, self.constant(kernel), self.constant(bias)]

    @staticmethod
    def _window(stride, dilation, padding, act):
        return {
            "strideH": stride,
            "strideW": stride,
            "dilationHFactor": dilation,
            "dilationWFactor": dilation,
            "padding": padding,
            "fusedActivationFunction": act,
        }

    @staticmethod
    def _convolved(shape, kernel, stride, dilation, padding):
        sizes = []
        for size, taps in zip(shape[1:3], kernel.shape[1:3], strict=True):
            reach = 1 if padding == SAME else (taps - 1) * dilation + 1
            sizes.append(-(-(size - reach + 1) // stride))
        return [shape[0], *sizes]
