"""Accuracy of a `.tflite` file, and its agreement with the Keras model it came from."""

import contextlib
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterator

import numpy as np
import tf_keras
from ai_edge_litert import schema_py_generated as schema

from tfmot_onexn.benchmark import artifacts, runtimes
from tfmot_onexn.networks.datasets import Dataset
from tfmot_onexn.tflite import flatbuffer
from tfmot_onexn.tflite import interpreter as interpreter_lib
from tfmot_onexn.tflite.interpreter import Delegate
from tfmot_onexn.tvm import plan_runtime, vm_runtime


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """Shares of test images recognized.

    Attributes:
      top1: the best answer is right.
      top5: the right answer is among the best five.
      images: how many were tested.
    """

    top1: float
    top5: float
    images: int


def of_file(
    path: str | os.PathLike, dataset: Dataset, *, runtime: str = "tflite"
) -> Accuracy:
    """Runs a file on a dataset's test images.

    Args:
      path: a `.tflite` classifier.
      dataset: test images in the shape of its input, preprocessed as it expects.
      runtime: the stock one of that name, see `tflite.interpreter`.
    """
    loaded = interpreter_lib.load_interpreter(path, runtime=runtime, delegate=False)
    batches = dataset.test_batches()
    hits = []
    for index in range(len(batches)):
        inputs, labels = batches[index]
        ranked = np.argsort(-interpreter_lib.run(loaded, inputs), axis=-1)
        hits.append(ranked == labels[:, None])
    right = np.concatenate(hits)
    return Accuracy(
        float(right[:, :1].any(axis=1).mean()),
        float(right[:, :5].any(axis=1).mean()),
        len(dataset.test_labels),
    )


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Returns max|a - b| / max|b|, infinite where the shapes differ."""
    if actual.shape != expected.shape:
        return float("inf")
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def agreement(
    model: tf_keras.Model,
    path: str | os.PathLike,
    images: np.ndarray,
    *,
    runtime: str = "tflite",
    delegate: Delegate = False,
) -> float:
    """Compares a file with a Keras model on the last feature map.

    Softmax outputs of random weights are flat and would hide every error, so the map
    that enters the last global pooling is compared.

    Args:
      model: the Keras model.
      path: the `.tflite` file.
      images: float32 ``[count, height, width, channels]``.
      runtime: see `tflite.interpreter`.
      delegate: as `load_interpreter` takes it; the stock runtime by default.

    Returns:
      max|a - b| / max|b|; see `rows.Agreement` for what it should be.

    Raises:
      ValueError: if the model has no global average pooling.
    """
    expected = feature_model(model)(images, training=False).numpy()
    actual = file_features(path, images, runtime=runtime, delegate=delegate)
    return relative_error(actual, expected)


def feature_model(model: tf_keras.Model) -> tf_keras.Model:
    """Returns a model's part up to the last feature map.

    Raises:
      ValueError: if it has no global average pooling.
    """
    pools = [
        layer
        for layer in model.layers
        if isinstance(layer, tf_keras.layers.GlobalAveragePooling2D)
    ]
    if not pools:
        raise ValueError(
            f"Model {model.name!r} has no GlobalAveragePooling2D; its last feature map "
            "is not known."
        )
    return tf_keras.Model(model.input, pools[-1].input)


def file_features(
    path: str | os.PathLike,
    images: np.ndarray,
    *,
    runtime: str = "tflite",
    delegate: Delegate = False,
) -> np.ndarray:
    """Returns the last feature map of a file for each image.

    Raises:
      ValueError: if the file has no MEAN operator.
    """
    with _ending_in_features(path) as copy:
        loaded = interpreter_lib.load_interpreter(
            copy, runtime=runtime, delegate=delegate
        )
    return interpreter_lib.run(loaded, images)


def build_features(
    path: str | os.PathLike, images: np.ndarray, *, runtime: str = runtimes.TVM_VM
) -> np.ndarray:
    """Returns the last feature map of a file for each image, as its TVM build has it.

    Args:
      path: the `.tflite` file.
      images: float32 ``[count, height, width, channels]``.
      runtime: of TVM builds.

    Raises:
      ValueError: if the file has no MEAN operator, or TVM cannot build it.
    """
    with _ending_in_features(path, alone=True) as copy:
        built = artifacts.built_for(copy, runtime)
        if runtime == runtimes.TVM_PLAN:
            with plan_runtime.Plan(built) as plan:
                found = [plan.run(image[None])[0] for image in images]
        else:
            machine = vm_runtime.load(built)
            found = [machine.run([image[None]])[0] for image in images]
    return np.concatenate(found)


@contextlib.contextmanager
def _ending_in_features(
    path: str | os.PathLike, *, alone: bool = False
) -> Iterator[pathlib.Path]:
    """Yields a copy of a file that has its last feature map as first or only output.

    Keeping all tensors instead would make runtime and delegate compute the layers one
    by one.
    """
    model = flatbuffer.read_file(path)
    graph = model.subgraphs[0]
    means = [
        int(operator.inputs[0])
        for operator in graph.operators
        if flatbuffer.operator_of(model, operator) == schema.BuiltinOperator.MEAN
    ]
    if not means:
        raise ValueError(
            f"{path} has no MEAN operator; its last feature map is unknown."
        )
    others = [] if alone else graph.outputs
    graph.outputs = np.array([means[-1], *others], np.int32)
    model.signatureDefs = []
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, pathlib.Path(path).name)
        copy.write_bytes(flatbuffer.write(model))
        yield copy
