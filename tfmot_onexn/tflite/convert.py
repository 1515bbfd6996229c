"""Converts a Keras model to a standard `.tflite` with 1xN sparse tensors."""

import contextlib
import os
import warnings
from collections.abc import Iterator
from typing import Any

import absl.logging
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from tfmot_onexn.graph import tracing
from tfmot_onexn.networks import files
from tfmot_onexn.pruning import checks, masking, prune
from tfmot_onexn.tflite import (
    constraints,
    inventory,
    preparation,
    scalars,
    sparse_encoding,
)


def convert_to_tflite(
    model: tf_keras.Model,
    path: str | os.PathLike | None = None,
    *,
    float16: bool = False,
    sparse: bool = True,
    for_xnnpack: bool = False,
    allow_shift: bool = False,
) -> bytes:
    """Converts a model to a `.tflite` file that any TFLite runtime loads.

    Kernels with zero blocks are stored as sparse tensors (see `sparse_encoding`), with
    n found from the zeros; weight-pruned kernels are the case n = 1.

    Args:
      model: a functional or Sequential `tf_keras` model, with pruning wrappers or
        without.
      path: where to write the file, whole or not at all; nowhere if None.
      float16: store weights in half precision.
      sparse: False keeps every kernel dense, for comparison.
      for_xnnpack: make a file that stock LiteRT on 64-bit ARM runs sparse by itself.
        What `prepare_for_xnnpack` can do without changing what the model computes is
        done here.
      allow_shift: do the rest of it too, though sampling grids move by a pixel.

    Returns:
      The file's content.

    Warns:
      UserWarning: if a stock runtime would compute wrong results from it, see
        `constraints`; with ``for_xnnpack``, if it would not run it sparse.

    Raises:
      ValueError: if the model cannot be converted or the path not written, or if
        ``for_xnnpack`` needs a shift that is not allowed.
    """
    if for_xnnpack and not sparse:
        raise ValueError(
            "XNNPACK looks for zeros only in files with sparse tensors: sparse=False "
            "does not go with for_xnnpack=True."
        )
    model = _to_convert(model)
    if for_xnnpack:
        model = _prepared(model, allow_shift)
    bare_names = {leaf.name: tracing.unwrapped(leaf).name for leaf in model.layers}
    output_names = [bare_names.get(name, name) for name in model.output_names]
    # a stripped copy would be one more copy of all weights in memory
    with masking.as_stripped(model):
        content = _dense_file(model, output_names, float16)
    if sparse:
        content = sparse_encoding.encode(content)
        if for_xnnpack:
            content = scalars.with_axes(content)
        _warn(model.name, content, for_xnnpack)
    if path is not None:
        files.write(path, content)
    return content


def _to_convert(model: tf_keras.Model) -> tf_keras.Model:
    """Returns a model without wrappers of others; raises ValueError if it is unfit."""
    checks.require_keras_model(model)
    if not model.inputs:
        raise ValueError(
            f"Model {model.name!r} has no input shape yet. Build it: "
            "model.build((None, height, width, channels))."
        )
    ours = all(
        isinstance(layer, masking.MaskingWrapper)
        for layer in pruning_wrapper.collect_prunable_layers(model)
    )
    return model if ours else prune.strip_pruning(model)


def _prepared(model: tf_keras.Model, allow_shift: bool) -> tf_keras.Model:
    if tracing.is_wrapped(model):
        model = prune.strip_pruning(model)
    shifts = [change for change in preparation.changes(model) if not change.exact]
    if shifts and not allow_shift:
        listed = "; ".join(f"{change.layer}: {change.text}" for change in shifts)
        raise ValueError(
            f"Model {model.name!r} is not prepared for XNNPACK, and to prepare it now "
            f"would change what it computes ({listed}). Call "
            "tfmot_onexn.prepare_for_xnnpack(model) before fine-tuning, or allow the "
            "shift: allow_shift=True, --allow-shift."
        )
    return preparation.prepare_for_xnnpack(model)


def _warn(name: str, content: bytes, for_xnnpack: bool) -> None:
    """Warns of what stock runtimes compute wrong, or do not run sparse as wished."""
    verdicts = inventory.of_content(content, name).verdicts
    for runtime, verdict in verdicts.items():
        if verdict.word == constraints.BROKEN:
            warnings.warn(
                f"{constraints.RUNTIMES[runtime]} cannot run {name!r}. "
                f"{verdict.reason}",
                stacklevel=3,
            )
    arm64 = verdicts.get("arm64")
    if for_xnnpack and arm64 is not None and arm64.word == constraints.DENSE:
        warnings.warn(
            f"{constraints.RUNTIMES['arm64']} will run {name!r} at the speed of a "
            f"dense network. {arm64.reason}",
            stacklevel=3,
        )


def _dense_file(model: tf_keras.Model, output_names: list[str], float16: bool) -> bytes:
    function, variables = _serving_function(model, output_names)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], variables)
    if float16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    with _quiet():
        return converter.convert()


def _serving_function(
    model: tf_keras.Model, output_names: list[str]
) -> tuple[Any, tf.Module]:
    """Returns a model's inference as one function, and what holds its variables.

    The converter would otherwise write a SavedModel of every Keras layer, which takes
    five times as long and yields the same graph.
    """

    def serve(*tensors):
        outputs = model(tensors if len(tensors) > 1 else tensors[0], training=False)
        return dict(zip(output_names, tf.nest.flatten(outputs), strict=True))

    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
        for tensor, name in zip(model.inputs, model.input_names, strict=True)
    ]
    function = tf.function(serve).get_concrete_function(*specs)
    holder = tf.Module()
    holder.kept = function.variables
    return function, holder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides the converter's notes about its own stages."""
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        yield
    finally:
        absl.logging.set_verbosity(verbosity)
