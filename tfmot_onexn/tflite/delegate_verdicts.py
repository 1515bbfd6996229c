"""What the delegate says of each layer of a file, in its own words."""

import dataclasses
import json
import os
import pathlib
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from tfmot_onexn.tflite import constraints, delegate, interpreter
from tfmot_onexn.tflite.constraints import DENSE, SPARSE, UNKNOWN, Verdict
from tfmot_onexn.tflite.kernels import StoredKernel


@dataclasses.dataclass(frozen=True)
class LayerVerdict:
    """What the delegate does with a convolution or fully connected layer.

    Attributes:
      node: the operator's index in the file.
      operator: its name in the schema.
      output: the name of the tensor that it makes.
      claimed: whether the delegate takes it.
      kernel: that computes it, empty if it is not claimed.
      n: output channels per block, 0 without blocks.
      reason: one sentence.
    """

    node: int
    operator: str
    output: str
    claimed: bool
    kernel: str
    n: int
    reason: str


def read(
    path: str | os.PathLike,
    *,
    library: str | os.PathLike | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[LayerVerdict]:
    """Lets the delegate judge a file, in the first runtime that is installed.

    Args:
      path: a `.tflite` that `validation` accepts.
      library: the delegate; the packaged one if None.
      options: of the delegate.

    Returns:
      One verdict for each convolution and fully connected layer.

    Raises:
      ValueError: if there is no delegate or no runtime, or either refuses the file.
    """
    module = interpreter.module_of()
    with tempfile.TemporaryDirectory() as folder:
        written = pathlib.Path(folder, "verdicts.jsonl")
        loaded = delegate.load(
            module.load_delegate, library, {**(options or {}), "verdicts": written}
        )
        try:
            # XNNPACK would take time to pack weights that nobody runs
            module.Interpreter(
                model_path=os.fspath(path),
                experimental_delegates=[loaded],
                experimental_op_resolver_type=(
                    module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
                ),
            )
        except (ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"The runtime refuses the file: {reason}") from error
        lines = written.read_text().splitlines() if written.exists() else []
    return [LayerVerdict(**json.loads(line)) for line in lines]


def of_kernels(
    path: str | os.PathLike, kernels: Sequence[StoredKernel]
) -> list[Verdict]:
    """Returns the delegate's verdict on each kernel of a file, in a summary's words.

    Where there is no delegate, or the runtime refuses the file, all are unknown.

    Args:
      path: a `.tflite` that `validation` accepts.
      kernels: what it stores.
    """
    try:
        found = {(each.node, each.operator): each for each in read(path)}
    except ValueError as error:
        return [Verdict(UNKNOWN, str(error))] * len(kernels)
    return [_of_kernel(kernel, found) for kernel in kernels]


def _of_kernel(
    kernel: StoredKernel, found: dict[tuple[int, str], LayerVerdict]
) -> Verdict:
    if kernel.operator not in _JUDGED:
        return Verdict(DENSE, _OTHER_KIND)
    # the delegate looks at the main graph only
    nodes = [place.operator for place in kernel.places if place.graph == 0]
    of_places = [found.get((node, kernel.operator)) for node in nodes]
    said = [verdict for verdict in of_places if verdict is not None]
    if not said:
        return Verdict(UNKNOWN, "The delegate says nothing of it.")
    first = next((verdict for verdict in said if not verdict.claimed), said[0])
    if not first.claimed:
        return Verdict(DENSE, first.reason)
    return Verdict(SPARSE, f"{first.reason.rstrip('.')} ({first.kernel}).")


def foretold(has_blocks: bool) -> Verdict:
    """Returns what is known of a kernel before its model is converted."""
    if not has_blocks:
        return Verdict(DENSE, constraints.NO_ZEROS)
    return Verdict(UNKNOWN, _CONVERT)


_JUDGED = ("CONV_2D", "FULLY_CONNECTED")
_OTHER_KIND = (
    "The delegate looks for blocks in 2-D convolutions and fully connected layers."
)
_CONVERT = "Only the file shows it: convert the model and look at the .tflite."
