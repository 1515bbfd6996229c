"""What a renewal of SUBP's masks costs: all 1xN layers of a network at once.

Each update scores, prunes and regrows every wrapped kernel half-way up a ramp to 50 %.
The first update of a network, which traces the ops, is not counted.

Run as ``python -m tfmot_onexn.experiments.mask_update``.
"""

import argparse
import time
from collections.abc import Mapping, Sequence

import numpy as np
import rich.console
import rich.table
import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.benchmark import machine
from tfmot_onexn.networks import models
from tfmot_onexn.pruning import policy
from tfmot_onexn.pruning.schedule import SoftUniformRamp
from tfmot_onexn.pruning.soft_uniform import PruneSoftUniform1xN, prune_soft_uniform_1xN
from tfmot_onexn.sparsity.regrow import CRITERIA

# network -> which of its layers are pruned
NETWORKS: dict[str, tfmot.PruningPolicy] = {
    "mobilenet_v2": policy.PrunePointwise(),
    "mobilenet": policy.PrunePointwise(),
    "resnet50": policy.PruneConvolutions(),
}
_SPARSITY = 0.5


def seconds_of_updates(
    model: tf_keras.Model,
    pruning_policy: tfmot.PruningPolicy,
    n: int,
    criterion: str,
    turns: int,
) -> list[float]:
    """Returns how long each renewal of all masks of a model took.

    Args:
      model: to wrap; it is not changed.
      pruning_policy: which of its layers to wrap.
      n: output channels per block.
      criterion: one of `sparsity.regrow.CRITERIA`.
      turns: renewals to time.
    """
    ramp = SoftUniformRamp(_SPARSITY, 1, turns + 1)
    wrapped = prune_soft_uniform_1xN(
        model, n, ramp, pruning_policy, criterion=criterion
    )
    wrappers = [x for x in wrapped.layers if isinstance(x, PruneSoftUniform1xN)]
    seconds = []
    for turn in range(turns + 1):
        start = time.perf_counter()
        for wrapper in wrappers:
            wrapper.pruning_step.assign(1 + turn)
            wrapper.update_masks(_SPARSITY / 2)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def measure(
    networks: Mapping[str, tfmot.PruningPolicy], n: int, turns: int
) -> dict[str, dict[str, float]]:
    """Returns the median seconds of an update, by network and criterion."""
    found: dict[str, dict[str, float]] = {}
    for name, pruning_policy in networks.items():
        model = models.build(name, "random")
        found[name] = {
            criterion: float(
                np.median(
                    seconds_of_updates(model, pruning_policy, n, criterion, turns)
                )
            )
            for criterion in CRITERIA
        }
        tf_keras.backend.clear_session()
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--n", type=int, default=16, help="output channels per block")
    parser.add_argument("--turns", type=int, default=5, help="updates to time")
    arguments = parser.parse_args(argv)
    described = machine.describe()
    table = rich.table.Table("network", *CRITERIA, title="Seconds, medians")
    for name, by_criterion in measure(NETWORKS, arguments.n, arguments.turns).items():
        table.add_row(name, *(f"{seconds:.2f}" for seconds in by_criterion.values()))
    console = rich.console.Console()
    console.print(table)
    console.print(machine.one_line(described), highlight=False)


if __name__ == "__main__":
    main()
