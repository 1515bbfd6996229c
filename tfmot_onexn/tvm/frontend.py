"""Reads `.tflite` files into Relax."""

import os

import tflite
from tvm import IRModule
from tvm.error import OpNotImplemented
from tvm.relax.frontend.tflite import from_tflite

from tfmot_onexn.tflite import flatbuffer, validation
from tfmot_onexn.tvm import static_model


def load(path: str | os.PathLike) -> IRModule:
    """Reads a `.tflite` file into a Relax module with one function, ``main``.

    Args:
      path: the file, dense or with sparse tensors; float32, or float16 in storage.

    Raises:
      ValueError: if the file is damaged, or TVM's importer lacks one of its operators.
    """
    model = validation.validated(flatbuffer.read_bytes(path), str(path))
    if len(model.subgraphs) != 1:
        raise ValueError(
            f"{path} has {len(model.subgraphs)} subgraphs; TVM builds take one. "
            "Convert a model without control flow."
        )
    static_model.prepare(model)
    content = flatbuffer.write(model)
    try:
        return from_tflite(tflite.Model.GetRootAsModel(content, 0))
    except (NotImplementedError, OpNotImplemented, TypeError, AssertionError) as error:
        reason = str(error).strip().splitlines()
        raise ValueError(
            f"TVM cannot import {path}: {reason[0] if reason else error!r}. Run it "
            "with a TFLite runtime instead."
        ) from error
