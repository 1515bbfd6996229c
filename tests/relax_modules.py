"""Small networks of Relax, with kernels as the project writes them."""

import dataclasses

import numpy as np
import tvm
from tvm import relax
from tvm.tirx.script.builder import ir as tir

from tfmot_onexn import targets
from tfmot_onexn.tvm.kernels.tir import function

HOST = targets.resolve("host")
LLVM = tvm.target.Target({"kind": "llvm"})
FLOAT32 = "float32"


@dataclasses.dataclass
class Network:
    """A module and what it computes."""

    module: tvm.IRModule
    inputs: list[np.ndarray]
    expected: list[np.ndarray]


def tensor(*shape: int) -> relax.TensorType:
    return relax.TensorType(shape, FLOAT32)


def product_kernel(name: str, rows: int, depth: int, columns: int):
    """``y = x @ w``; each thread does some of the rows."""

    def body(x, w, y):
        with tir.parallel(0, rows) as row, tir.serial(0, columns) as column:
            at = [row * columns + column]
            tir.buffer_store(y, tir.float32(0), at)
            with tir.serial(0, depth) as k:
                term = x[row * depth + k] * w[k * columns + column]
                tir.buffer_store(y, y[at[0]] + term, at)

    shapes = {"x": (rows, depth), "w": (depth, columns), "y": (rows, columns)}
    return function(
        name, {key: (shape, FLOAT32) for key, shape in shapes.items()}, body
    )


def reversed_kernel(name: str, rows: int, columns: int):
    """``y = 2 x`` with columns in reverse; each thread keeps a row in a workspace."""

    def body(x, y):
        with tir.parallel(0, rows) as row:
            copy = tir.alloc_buffer((columns,), FLOAT32, scope="global")
            with tir.serial(0, columns) as column:
                value = x[row * columns + column] + x[row * columns + column]
                tir.buffer_store(copy, value, [column])
            with tir.serial(0, columns) as column:
                at = row * columns + column
                tir.buffer_store(y, copy[columns - 1 - column], [at])

    shape = ((rows, columns), FLOAT32)
    return function(name, {"x": shape, "y": shape}, body)


def gather_kernel(name: str, count: int, length: int):
    """``y = x[indices]``, whose indices are data."""

    def body(x, indices, y):
        with tir.serial(0, length) as i:
            tir.buffer_store(y, x[indices[i]], [i])

    parameters = {
        "x": ((count,), FLOAT32),
        "indices": ((length,), "int32"),
        "y": ((length,), FLOAT32),
    }
    return function(name, parameters, body)


def network(rows: int = 6, depth: int = 5, columns: int = 700) -> Network:
    """A product, a workspace of more than a kilobyte, views, a gather, a residual."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, rows, 1, depth)).astype(FLOAT32)
    weights = rng.standard_normal((depth, columns)).astype(FLOAT32)
    indices = rng.integers(0, rows * columns, 9).astype("int32")
    builder = relax.BlockBuilder()
    product, turned, gather = (
        builder.add_func(kernel, kernel.attrs["global_symbol"])
        for kernel in (
            product_kernel("product", rows, depth, columns),
            reversed_kernel("turned", rows, columns),
            gather_kernel("gather", rows * columns, 9),
        )
    )
    given = relax.Var("x", tensor(*x.shape))
    with builder.function("main", [given]):
        with builder.dataflow():
            flat = builder.emit(relax.op.reshape(given, (rows, depth)))
            y = builder.emit(
                relax.call_tir(
                    product, [flat, relax.const(weights)], tensor(rows, columns)
                )
            )
            z = builder.emit(relax.call_tir(turned, [y], tensor(rows, columns)))
            added = builder.emit(relax.op.add(y, z))
            line = builder.emit(relax.op.reshape(added, (rows * columns,)))
            picked = builder.emit(
                relax.call_tir(gather, [line, relax.const(indices)], tensor(9))
            )
            result = builder.emit_output(relax.op.expand_dims(picked, 0))
        builder.emit_func_output(result)
    y = x.reshape(rows, depth) @ weights
    expected = (y + 2 * y[:, ::-1]).reshape(-1)[indices][None]
    return Network(builder.get(), [x], [expected])


def several() -> Network:
    """Two inputs; parts, an input and a constant as outputs; the C library's exp."""
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 4, 6)).astype(FLOAT32)
    constant = np.arange(3, dtype=FLOAT32)
    builder = relax.BlockBuilder()
    first, second = relax.Var("a", tensor(4, 6)), relax.Var("b", tensor(4, 6))
    with builder.function("main", [first, second]):
        with builder.dataflow():
            total = builder.emit(relax.op.exp(relax.op.subtract(first, second)))
            halves = builder.emit(relax.op.split(total, 2, axis=0))
            low = builder.emit(relax.TupleGetItem(halves, 1))
            squeezed = builder.emit(relax.op.squeeze(relax.op.expand_dims(low, 1)))
            results = [squeezed, total, first, relax.const(constant)]
            output = builder.emit_output(relax.Tuple(results))
        builder.emit_func_output(output)
    total = np.exp(a - b)
    return Network(builder.get(), [a, b], [total[2:], total, a, constant])


def run_in_virtual_machine(network: Network) -> list[np.ndarray]:
    """Returns what TVM's own runtime computes."""
    executable = tvm.compile(network.module, LLVM)
    machine = relax.VirtualMachine(executable, tvm.cpu())
    result = machine["main"](*map(tvm.runtime.tensor, network.inputs))
    results = [result] if isinstance(result, tvm.runtime.Tensor) else result
    return [one.numpy() for one in results]
