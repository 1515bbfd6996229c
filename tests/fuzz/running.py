"""Runs accepted mutated `.tflite` files in LiteRT, which must not crash on them."""

import math
import os
import pathlib
import resource
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from tfmot_onexn.tflite import flatbuffer, validation

_MEMORY = 8 << 30
# larger activations are a model's own wish, and only cost time
_MOST_ELEMENTS = 1 << 22


def prepare() -> None:
    """Limits this process's memory and silences the runtime."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def examine(path: pathlib.Path, index: int) -> str:
    """Runs a file with XNNPACK and without, if validation accepts it.

    One with a loop is only loaded.

    Returns:
      "rejected" by validation, "too large" to run here, "refused" by the runtime with
      an error, or "ran".

    Raises:
      AssertionError: if the runtime finds the file's structure unsound.
    """
    content = flatbuffer.read_bytes(path)
    try:
        model = validation.validated(content, str(path))
    except ValueError:
        return "rejected"
    if _most_elements(model) > _MOST_ELEMENTS:
        return "too large"
    outcomes = {
        _run(content, resolver, invoke=not _loops(model))
        for resolver in (
            OpResolverType.AUTO,
            OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    }
    return "ran" if "ran" in outcomes else "refused"


def _most_elements(model: Any) -> int:
    shapes = (tensor.shape for graph in model.subgraphs for tensor in graph.tensors)
    return max((math.prod(shape.tolist()) for shape in shapes), default=0)


def _loops(model: Any) -> bool:
    """Tells whether a file has a loop, which a mutation may have made endless."""
    loop = schema.BuiltinOperator.WHILE
    return any(flatbuffer.builtin_code(code) == loop for code in model.operatorCodes)


def _run(content: bytes, resolver: OpResolverType, invoke: bool) -> str:
    try:
        loaded = Interpreter(
            model_content=content, experimental_op_resolver_type=resolver
        )
        loaded.allocate_tensors()
        for details in loaded.get_input_details():
            if details["dtype"] in (np.float32, np.int8, np.int32):
                values = np.zeros(details["shape"], details["dtype"])
                loaded.set_tensor(details["index"], values)
        if invoke:
            loaded.invoke()
            for details in loaded.get_output_details():
                loaded.get_tensor(details["index"])
    except (MemoryError, RuntimeError, TypeError, ValueError) as error:
        assert "not a valid Flatbuffer" not in str(error), "unsound, but accepted"
        return "refused"
    return "ran"
