"""Whether all replicas of a distributed model hold the same.

They do as long as all workers started alike: each applies the same gradients and
chooses its masks from its own copy of the weights. A worker with other files or another
state would train another network, and nothing else would tell.
"""

import json
import zlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from tfmot_onexn.pruning.masking import MaskingWrapper


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


class SameMasks(tf_keras.callbacks.Callback):
    """Ends a training whose replicas have come to hold other masks."""

    def on_epoch_end(self, epoch: int, logs=None) -> None:
        require_same(self.model.distribute_strategy, masks(self.model))
