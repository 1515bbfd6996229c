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
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from tfmot_onexn.networks.batches import Batches
from tfmot_onexn.pruning import cluster
from tfmot_onexn.pruning.masking import MaskingWrapper

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
                f"This worker cannot go on with the others: {_first_line(error)}. Look "
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
            f"{_first_line(error)}. See that its port is free and that the "
            "machines reach each other."
        ) from error


def _first_line(error: tf.errors.OpError) -> str:
    return re.sub(r"^\{\{.*?\}\} ", "", error.message).splitlines()[0].rstrip(".")


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
    ``len(batches)`` steps; pass these to ``fit`` as ``steps_per_epoch``.

    Args:
      batches: whole ones; those of later epochs follow by themselves.
      strategy: of the model to train.
    """
    parts = strategy.num_replicas_in_sync

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = parts // context.num_input_pipelines
        first = here * context.input_pipeline_id

        def endless():
            while True:
                for index in range(len(batches)):
                    for part in range(first, first + here):
                        yield batches.share(index, part, parts)
                batches.on_epoch_end()

        data = tf.data.Dataset.from_generator(
            endless,
            output_signature=(
                tf.TensorSpec((None, *batches.image_shape), tf.float32),
                tf.TensorSpec((None,), tf.int64),
                tf.TensorSpec((None,), tf.float32),
            ),
        )
        # so that the workers need not ask each other before each step who has data left
        forever = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return data.apply(forever).prefetch(2 * here)

    return strategy.distribute_datasets_from_function(of_worker)


def require_same(strategy: tf.distribute.Strategy, values: Mapping[str, Any]) -> None:
    """Raises ValueError, on all workers, unless all replicas hold the same values.

    Args:
      strategy: all its workers must call this with as many values.
      values: variables of the strategy, or plain values that JSON can hold; the keys
        name them in the message.
    """
    if strategy.num_replicas_in_sync == 1 or not values:
        return

    def gather():
        own = tf.stack([_digest(value) for value in values.values()])
        return tf.distribute.get_replica_context().all_gather(own[tf.newaxis], axis=0)

    # traced by hand, as TensorFlow warns of functions that are traced again and again
    function = tf.function(lambda: strategy.run(gather), autograph=False)
    gathered = function.get_concrete_function()()
    digests_rv = strategy.experimental_local_results(gathered)[0].numpy()
    differing = (digests_rv != digests_rv[0]).any(axis=0)
    if differing.any():
        names = [name for name, other in zip(values, differing, strict=True) if other]
        raise ValueError(
            f"The replicas hold different values of {names[0]!r}"
            f"{f' and {len(names) - 1} more' if names[1:] else ''}. Start all workers "
            "with the same command, files and versions, and with checkpoints in a "
            "folder that all of them share."
        )


def _digest(value: Any) -> tf.Tensor:
    if isinstance(value, tf.Variable):
        return tf.strings.to_hash_bucket_fast(tf.io.serialize_tensor(value), 2**62)
    text = json.dumps(value, sort_keys=True, default=str)
    return tf.constant(zlib.crc32(text.encode()), tf.int64)


def state(model: tf_keras.Model) -> dict[str, tf.Variable]:
    """Returns what must be the same on all replicas before training.

    All variables of a compiled model and its optimizer, but for those that each
    replica keeps for itself, such as the statistics of BatchNormalization.
    """
    variables = [*model.variables, *model.optimizer.variables]
    return {
        f"{variable.name} ({index})": variable
        for index, variable in enumerate(variables)
        if variable.synchronization != tf.VariableSynchronization.ON_READ
    }


def masks(model: tf_keras.Model) -> dict[str, tf.Variable]:
    """Returns the masks of all wrapped layers by the layers' names."""
    return {
        f"mask of {wrapper.layer.name} ({index})": mask
        for wrapper in model._flatten_layers()
        if isinstance(wrapper, MaskingWrapper)
        for index, (_, mask, _) in enumerate(wrapper.pruning_vars)
    }
