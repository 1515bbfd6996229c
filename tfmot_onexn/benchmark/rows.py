"""One row of a benchmark: an artifact in a runtime. The schema of ``--json``."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

SCHEMA = 1

# design of every agreement check: a file agrees with its model, and with no other
AGREES = 1e-5
# of trained weights float32 itself keeps less: Keras is 1e-5 off its own float64
AGREES_TRAINED = 1e-4
TELLS_APART = 0.1


@dataclasses.dataclass
class Row:
    """What was measured of one artifact in one runtime; None where it was not.

    Attributes:
      artifact: the file's name.
      model: the network.
      weights: where its weights come from.
      variant: "dense", "weight", "filter" or "onexn".
      n: output channels per block.
      sparsity: share of blocks, weights or filters that are zero in pruned layers.
      rearrange: how filters were rearranged.
      uniform: whether every block row keeps as many blocks.
      allocation: how the sparsity is divided among layers.
      dtype: of the stored weights.
      runtime: that ran it: of TFLite, "tvm_vm" or "tvm_plan".
      delegate: "onexn" where this package's was loaded.
      target: the instruction set it was built for.
      device: where it ran.
      emulated: whether that is an emulator, whose times tell nothing.
      threads: of the runtime.
      median_ms: of one inference, with p10_ms and p90_ms.
      runs: timed inferences.
      speedup: the median of the dense file in TFLite over this one's; above 1 is
        faster. See `set_speedups`.
      size_bytes: of the artifact.
      macs: multiply-accumulates per image.
      nonzero_macs: of them with a weight other than 0.
      top1: share of test images recognized, and top5.
      images: number of test images.
      seed: of random weights and training.
      status: "ok", "noisy" (other processes were busy meanwhile) or "failed".
      error: what went wrong.
      difference: on an emulator, the largest from what the `.tflite` computes on this
        machine, over the largest output.
    """

    artifact: str
    model: str | None = None
    weights: str | None = None
    variant: str | None = None
    n: int | None = None
    sparsity: float | None = None
    rearrange: str | None = None
    uniform: bool | None = None
    allocation: str | None = None
    dtype: str | None = None
    runtime: str | None = None
    delegate: str | None = None
    target: str = "host"
    device: str = "local"
    emulated: bool = False
    threads: int | None = None
    median_ms: float | None = None
    p10_ms: float | None = None
    p90_ms: float | None = None
    runs: int | None = None
    speedup: float | None = None
    size_bytes: int | None = None
    macs: int | None = None
    nonzero_macs: int | None = None
    top1: float | None = None
    top5: float | None = None
    images: int | None = None
    seed: int | None = None
    status: str = "ok"
    error: str | None = None
    difference: float | None = None

    @property
    def label(self) -> str:
        """A name for tables: the variant where it is known, and what computes it."""
        return self.name + self._computed_by

    @property
    def label_at_sparsity(self) -> str:
        """The label with the sparsity, to tell rows of one variant apart."""
        sparsity = f" {self.sparsity:.0%}" if self.sparsity else ""
        return self.name + sparsity + self._computed_by

    @property
    def in_tvm(self) -> bool:
        """Whether a runtime of TVM ran it."""
        return (self.runtime or "").startswith("tvm")

    @property
    def name(self) -> str:
        """The variant where it is known, else the file's name."""
        if self.variant is None:
            return self.artifact
        if self.variant != "onexn":
            return self.variant
        name = "1×N" if self.n is None else f"1×{self.n}"
        if self.rearrange in (None, "none"):
            return name
        return f"{name} rearranged"

    @property
    def _computed_by(self) -> str:
        if self.in_tvm:
            return " as a TVM plan" if self.runtime == "tvm_plan" else " in TVM"
        return " + delegate" if self.delegate else ""


@dataclasses.dataclass(frozen=True)
class Agreement:
    """Whether a file computes what its Keras model does.

    Attributes:
      label: of the variant.
      error: max|a - b| / max|b| on the last feature map, see `accuracy.agreement`.
      dense_error: the same of the file against the dense model it was pruned from,
        which must be large; infinite where the shapes differ.
      bound: the largest error that float32 explains.
      told_apart: whether the dense model is another than the file's.
    """

    label: str
    error: float
    dense_error: float
    bound: float = AGREES
    told_apart: bool = True

    @property
    def passed(self) -> bool:
        """Whether the file agrees with its model and the check tells models apart."""
        apart = not self.told_apart or self.dense_error > TELLS_APART
        return self.error <= self.bound and apart


def set_speedups(rows: Sequence[Row]) -> None:
    """Sets each row's speed-up over the first dense row of stock TFLite.

    Where there is none, rows with the delegate are set against those of the same
    artifact and runtime without it, and those of TVM builds against the stock row of
    the same network: of as many multiply-accumulates, non-zero ones too.
    """
    stock = [
        row for row in rows if row.median_ms and row.delegate is None and not row.in_tvm
    ]
    dense = next((row for row in stock if row.variant == "dense"), None)
    of_artifact = {(row.artifact, row.runtime): row for row in reversed(stock)}
    of_network = {(row.macs, row.nonzero_macs): row for row in reversed(stock)}
    for row in rows:
        base = dense
        if base is None and row.delegate is not None:
            base = of_artifact.get((row.artifact, row.runtime))
        if base is None and row.in_tvm and row.macs is not None:
            base = of_network.get((row.macs, row.nonzero_macs))
        if base is not None and base.median_ms and row.median_ms:
            row.speedup = base.median_ms / row.median_ms


def to_json(machine: dict[str, Any], rows: Sequence[Row], **more: Any) -> str:
    """Returns the document that ``--json`` writes."""
    document = {
        "schema": SCHEMA,
        "machine": machine,
        "rows": [dataclasses.asdict(row) for row in rows],
        **more,
    }
    return json.dumps(document, indent=1) + "\n"
