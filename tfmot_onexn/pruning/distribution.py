"""Trains on several devices or machines, through `tf.distribute`.

Every replica holds the whole model and sees its own share of each batch; the gradients
are summed, so all replicas keep the same weights and choose the same masks. A model
belongs to the strategy in whose scope it is built or wrapped:

```python
with distribution.strategy("mirrored") as strategy:
    with strategy.scope():
        pruned = prune_low_magnitude_1xN(model)
    fine_tune(pruned, dataset, recipe)
```
"""

import contextlib
import os
import re
from collections.abc import Iterator

import tensorflow as tf

from tfmot_onexn.networks.batches import Batches
from tfmot_onexn.pruning import cluster

NAMES = ("none", "mirrored", "multiworker")

# what TensorFlow raises in a worker when another one is gone
_LOST = (
    *(tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError),
    *(tf.errors.DeadlineExceededError, tf.errors.InternalError),
)


@contextlib.contextmanager
def strategy(name: str) -> Iterator[tf.distribute.Strategy]:
    """Yields a strategy; what ends the other workers becomes a ValueError in this one.

    Args:
      name: "none" for one device, "mirrored" for all GPUs of this machine (or, without
        any, its logical CPUs), "multiworker" for the machines of TF_CONFIG. The last
        must come before anything else that TensorFlow does, and waits until all
        workers have started.

    Raises:
      ValueError: if the name is unknown, TF_CONFIG is missing or wrong, TensorFlow has
        begun to work, or another worker ends.
    """
    if name not in NAMES:
        raise ValueError(f"Unknown strategy {name!r}; choose one of {list(NAMES)}.")
    if name == "none":
        yield tf.distribute.get_strategy()
    elif name == "mirrored":
        yield tf.distribute.MirroredStrategy()
    else:
        workers = _multiworker()
        try:
            yield workers
        except _LOST as error:
            raise ValueError(
                f"This worker cannot go on with the others: {_reason(error)}. Look "
                "at what they printed and start all of them again with the same "
                "command; training goes on after the last whole epoch."
            ) from error


def _multiworker() -> tf.distribute.Strategy:
    config = os.environ.get("TF_CONFIG")
    cluster.require_valid(config)
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ValueError(
            "The strategy 'multiworker' comes too late: TensorFlow has made tensors "
            "already. Ask for it first, right after the imports."
        ) from error
    except tf.errors.OpError as error:
        raise ValueError(
            f"This worker cannot join the others of TF_CONFIG={config}: "
            f"{_reason(error)}. See that its port is free and that the "
            "machines reach each other."
        ) from error


def _reason(error: tf.errors.OpError) -> str:
    """Returns the line of a message that tells most."""
    lines = re.sub(r"^\{\{.*?\}\} ", "", error.message).splitlines()
    telling = [line for line in lines if "Collective ops is aborted" in line]
    return (telling or lines)[0].rstrip(".")


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process is the one that reports and writes files.

    The others must take part in all that reads a distributed model, such as stripping
    or saving it, since the statistics of BatchNormalization are averaged for that.
    """
    return strategy.extended.should_checkpoint


def shares(
    batches: Batches, strategy: tf.distribute.Strategy
) -> tf.distribute.DistributedDataset:
    """Returns batches of which every replica gets its share, without end.

    Each worker loads only what its own replicas train on. The batches of an epoch are
    ``len(batches)`` steps; pass these to ``fit`` as ``steps_per_epoch``. Nothing like
    it is needed for tests: evaluate what `strip_pruning` returns, outside the scope.
    (Keras' ``evaluate`` fails where a batch has too few images for all replicas.)

    Args:
      batches: whole ones; those of later epochs follow by themselves.
      strategy: of the model to train.
    """
    parts = strategy.num_replicas_in_sync

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = parts // context.num_input_pipelines
        first = here * context.input_pipeline_id
        return batches.endless_shares(range(first, first + here), parts)

    return strategy.distribute_datasets_from_function(of_worker)
