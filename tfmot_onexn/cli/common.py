"""Arguments and steps that several commands share."""

import argparse
import contextlib
import dataclasses
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import absl.logging
import rich.console
import rich.progress

from tfmot_onexn.benchmark import native_notes

if TYPE_CHECKING:
    import tf_keras

    from tfmot_onexn.networks.datasets import Dataset
    from tfmot_onexn.pruning.variants import Variant

MODEL_HELP = (
    "mobilenet, mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large, resnet50, or the "
    "path of a .keras, .h5 or SavedModel"
)
DATA_HELP = (
    "digits, cifar10, cifar100, fashion_mnist, a folder of class/*.jpg, a folder as "
    "CIFAR or Fashion-MNIST is published, or an .npz of images"
)
_REARRANGEMENTS = ("auto", "none", "l1", "assignment", "swaps")


def add_command(
    commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
    epilog: str = "",
) -> argparse.ArgumentParser:
    """Adds a command with its help to the parser."""
    parser = commands.add_parser(
        name,
        help=text,
        description=text,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def add_network(parser: argparse.ArgumentParser) -> None:
    """Adds what describes a network by name."""
    group = parser.add_argument_group("if MODEL is a network by name")
    group.add_argument(
        "--weights",
        default="random",
        help="random, imagenet, or a .h5, .keras or .npz file",
    )
    group.add_argument("--input-size", type=int, default=224, help="of its images")
    group.add_argument("--alpha", type=float, default=1.0, help="width multiplier")
    group.add_argument("--seed", type=int, default=0, help="of random weights")


def add_data(parser, text: str) -> None:
    """Adds what describes images and what becomes of them."""
    parser.add_argument("--data", help=text)
    parser.add_argument(
        "--preprocess",
        choices=("auto", "tf", "none", "caffe", "torch"),
        default="auto",
        help="what the network expects: tf is -1 to 1, none 0 to 255, caffe and torch "
        "as Keras has them; auto goes by the network",
    )


def add_pattern(parser: argparse.ArgumentParser) -> None:
    """Adds what describes a 1xN pattern."""
    parser.add_argument("--n", type=int, default=4, help="output channels per block")
    parser.add_argument(
        "--rearrange", choices=_REARRANGEMENTS, default="auto", help="order of filters"
    )
    parser.add_argument(
        "--uniform", action="store_true", help="as many blocks in every block row"
    )
    parser.add_argument(
        "--prune-classifier", action="store_true", help="prune the last layer too"
    )
    parser.add_argument(
        "--allocation",
        choices=("per_layer", "parameters", "macs"),
        default="per_layer",
        help="of 1×N blocks: the same sparsity in every layer, or one budget for all",
    )


def add_strategy(parser) -> None:
    """Adds what trains on several devices."""
    parser.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multiworker"),
        default="none",
        help="share each batch among the GPUs of this machine, or, started on each of "
        "them, among the machines that the variable TF_CONFIG names",
    )


def add_timing(
    parser: argparse.ArgumentParser, runtimes: str = "tflite,tflite+delegate"
) -> None:
    """Adds what describes a measurement."""
    parser.add_argument(
        "--runtimes",
        default=runtimes,
        help="comma-separated: litert, tf_lite, tflite_runtime, or tflite, the first "
        "that is installed; +delegate lets the delegate take the 1×N layers; tvm for "
        "TVM builds, or of these tvm_vm for libraries alone, tvm_plan for plans",
    )
    parser.add_argument("--threads", type=int, default=1, help="of the runtimes")
    parser.add_argument("--runs", type=int, default=50, help="timed inferences of each")
    parser.add_argument("--json", metavar="F", help="write the rows to a file")


def variant(arguments: argparse.Namespace, method: str, sparsity: float) -> "Variant":
    """Returns the variant that `add_pattern` describes."""
    from tfmot_onexn.pruning.variants import Variant

    return Variant(
        method,
        sparsity,
        arguments.n,
        arguments.rearrange,
        arguments.uniform,
        arguments.prune_classifier,
        arguments.allocation,
    )


def network(
    arguments: argparse.Namespace, data: str | None = None
) -> "tuple[tf_keras.Model, Dataset | None]":
    """Returns the model that MODEL names, and the dataset if there is one."""
    from tfmot_onexn.networks import datasets, models

    if arguments.model not in models.NETWORKS:
        model = models.load(arguments.model)
        if not data:
            return model, None
        size = image_size(model)
        loaded = datasets.load(data, size, seed=arguments.seed)
        return model, _preprocessed(arguments, model, loaded)
    size, dataset = arguments.input_size, None
    if data:
        dataset = datasets.load(data, size, seed=arguments.seed)
    model = models.build(
        arguments.model,
        arguments.weights,
        input_shape=(size, size, 3),
        alpha=arguments.alpha,
        classes=dataset.classes if dataset else 1000,
        seed=arguments.seed,
    )
    if dataset and arguments.weights == "random":
        models.set_batch_norm_momentum(model, 0.9)
    return model, dataset and _preprocessed(arguments, model, dataset)


def model_or_tflite(
    arguments: argparse.Namespace, show: Callable[[str], None]
) -> "tf_keras.Model | str":
    """Returns the model that MODEL names, or the path of a `.tflite` as it is."""
    from tfmot_onexn.tflite import flatbuffer

    if flatbuffer.is_tflite(arguments.model):
        return arguments.model
    show("Loading the model")
    load_tensorflow()
    return network(arguments)[0]


def image_size(model: "tf_keras.Model") -> int:
    """Returns the height and width of a model's images.

    Raises:
      ValueError: if they are not square, in colour and of a fixed size.
    """
    shape = model.input_shape
    if len(shape) != 4 or shape[1] is None or shape[1:] != (shape[1], shape[1], 3):
        raise ValueError(
            f"Model {model.name!r} takes {shape}; reading images needs one input of "
            "square colour images of a fixed size, (None, size, size, 3)."
        )
    return shape[1]


def _preprocessed(
    arguments: argparse.Namespace, model: "tf_keras.Model", dataset: "Dataset"
) -> "Dataset":
    """Returns the dataset, its images to be preprocessed as the model expects."""
    from tfmot_onexn.networks import preprocessing

    name = arguments.preprocess
    if name == "auto":
        name = preprocessing.preprocessing_for(model)
    return dataclasses.replace(dataset, preprocessing=name)


def report_rows(
    arguments: argparse.Namespace,
    title: str,
    machine: dict[str, Any],
    rows,
    **more: Any,
) -> int:
    """Prints rows and writes ``--json``; returns 1 if all of them failed."""
    from tfmot_onexn.benchmark import machine as machine_lib
    from tfmot_onexn.benchmark import report
    from tfmot_onexn.benchmark.rows import to_json
    from tfmot_onexn.networks import files

    console = rich.console.Console()
    report.show(console, title, rows)
    console.print(machine_lib.one_line(machine), style="dim", highlight=False)
    if arguments.json:
        files.write(arguments.json, to_json(machine, rows, **more))
    return int(all(row.status == "failed" for row in rows))


def load_tensorflow() -> None:
    """Imports TensorFlow without the notes that its C++ code prints meanwhile.

    They are shown after all if the import fails.
    """
    # by itself it leaves oneDNN off on x86 without AVX-512, and trains half as fast
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with native_notes.hidden():
        tensorflow = importlib.import_module("tensorflow")
        # brings tfmot, and lets Keras know the wrappers that files may have
        importlib.import_module("tfmot_onexn.pruning.prune")
    tensorflow.get_logger().setLevel("ERROR")
    absl.logging.set_verbosity(absl.logging.WARNING)


@contextlib.contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Yields what shows the step that a command is at, on standard error."""
    console = rich.console.Console(stderr=True)
    with console.status("") as status:
        yield status.update


@contextlib.contextmanager
def building(arguments: argparse.Namespace) -> Iterator[Callable[[str], None]]:
    """Yields what `steps` does; what was remarked meanwhile becomes a line each."""
    with steps() as show, warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", UserWarning)
        yield show
    for remark in dict.fromkeys(str(each.message) for each in remarks):
        print(f"onexn {arguments.command}: {remark}", file=sys.stderr)


def track(items: Iterable, total: int, description: str) -> Iterable:
    """Shows a progress bar on standard error."""
    return rich.progress.track(
        items,
        description,
        total=total,
        console=rich.console.Console(stderr=True),
        transient=True,
    )
