"""SUBP: uniform 1xN blocks in a network that trains from scratch (arXiv 2310.06218).

The wrapped layer computes with ``kernel * mask``, but the gradient reaches the weights
behind the mask as if it were not there, and a small decay draws them to zero. They go
on learning, and at each update of the masks some of them come back, see
`sparsity.regrow`.
"""

import contextlib
import dataclasses
import functools
import math
import zlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.pruning import checks, policy, prunable, wrapping
from tfmot_onexn.pruning import schedule as schedule_lib
from tfmot_onexn.pruning.wrapper import KernelWrapper
from tfmot_onexn.sparsity import blocks, masks, tf_masks
from tfmot_onexn.sparsity.regrow import Regrowth


def prune_soft_uniform_1xN(  # noqa: N802 (as its sibling)
    to_prune,
    n: int = 16,
    pruning_schedule: tfmot.PruningSchedule | None = None,
    pruning_policy: tfmot.PruningPolicy = policy.PrunePointwise(),
    criterion: str = "bpar",
    alpha: float = 1.0,
    temperature: float = 1.0,
    decay: float = 2e-4,
    seed: int = 0,
    **kwargs: Any,
) -> Any:
    """Prunes in uniform 1xN blocks while a network trains from scratch: SUBP.

    No pretrained network is needed. At each renewal of the masks every block row is
    pruned to the final sparsity; then some of its blocks, drawn by lot, grow back,
    fewer as the ramp rises. All block rows of a layer keep the same number of blocks
    at every step. See `PruneSoftUniform1xN` for what training does meanwhile.

    ```python
    ramp = tfmot_onexn.SoftUniformRamp.from_epochs(0.5, 5, 70, steps_per_epoch=500)
    pruned = tfmot_onexn.prune_soft_uniform_1xN(model, 16, ramp)
    pruned.compile(optimizer, loss)
    pruned.fit(x, y, epochs=100, callbacks=[tfmot_onexn.UpdatePruningStep()])
    final = tfmot_onexn.strip_pruning(pruned)
    ```

    Args:
      to_prune: as for `prune_low_magnitude_1xN`.
      n: output channels per block.
      pruning_schedule: `SoftUniformRamp`, or one of tfmot's schedules. With `OneShot`
        the masks stand from the start and nothing grows back.
      pruning_policy: which layers of a model to prune; of a list, the prunable ones.
      criterion: as for `PruneSoftUniform1xN`, like the arguments that follow.
      alpha: weight of the redundancy in "bpar".
      temperature: of the lot.
      decay: of the weights behind the masks.
      seed: of the lot.
      **kwargs: for the wrappers; a layer's name only if ``to_prune`` is a layer.

    Returns:
      A model, a layer or a list with pruning wrappers. A model must be compiled anew.

    Raises:
      ValueError: if ``to_prune`` or an argument does not fit; the message names the
        layer, the value and the remedy.
    """
    _validate(to_prune, n, pruning_schedule, pruning_policy)
    wrapper = functools.partial(
        PruneSoftUniform1xN,
        pruning_schedule=pruning_schedule,
        n=n,
        criterion=criterion,
        alpha=alpha,
        temperature=temperature,
        decay=decay,
        seed=seed,
        **kwargs,
    )
    return wrapping.wrap(to_prune, wrapper, pruning_policy)


def _validate(to_prune, n: int, pruning_schedule, pruning_policy) -> None:
    if pruning_schedule is None:
        raise ValueError(
            "SUBP prunes while a network trains from scratch and must know how long: "
            "pass pruning_schedule=SoftUniformRamp.from_epochs(0.5, begin=5, end=70, "
            "steps_per_epoch=...)."
        )
    masks.validate_sparsity(schedule_lib.final_sparsity(pruning_schedule))
    blocks.validate_block_size(n)
    checks.validate(to_prune, pruning_policy)
    if checks.is_single_layer(to_prune):
        checks.validate_width(to_prune, n)


@tf_keras.utils.register_keras_serializable(package="tfmot_onexn")
class PruneSoftUniform1xN(KernelWrapper):
    """Prunes the 1xN blocks of a layer and lets them grow back while it trains.

    The weights behind the mask keep their values and go on learning: the gradient
    passes the mask straight through. A decay draws them to zero; it is one of the
    layer's losses, as a regulariser is, so the loss that training reports contains it,
    and a loop of your own must add ``sum(model.losses)`` to its loss.

    The masks depend on the weights, the seed, the layer's name and the step, and on
    nothing else: a run that is resumed goes on as it would have.

    Attributes:
      regrowth: how blocks are ranked and drawn, a `sparsity.regrow.Regrowth`.
      decay: of the weights behind the mask.
      seed: of the lot by which blocks come back.
    """

    name_prefix = "prune_soft_uniform_1xn"

    def __init__(
        self,
        layer,
        pruning_schedule=None,
        n: int = 16,
        criterion: str = "bpar",
        alpha: float = 1.0,
        temperature: float = 1.0,
        decay: float = 2e-4,
        seed: int = 0,
        normalization: str = "standard",
        latent: bool = False,
        **kwargs,
    ):
        """Wraps a layer.

        Args:
          layer: one that `prunable.is_prunable`.
          pruning_schedule: `OneShot(0.5)` if None.
          n: output channels per block.
          criterion: what ranks the blocks of a row: "bpar", the magnitude less
            ``alpha`` times the redundancy (see `sparsity.saliency.bpar`), or a block's
            norm, "l1" or "l2".
          alpha: weight of the redundancy.
          temperature: of the lot. Near 0 the best pruned blocks grow back, at
            `math.inf` all have the same chance.
          decay: that times the weight is added to the gradient behind the mask.
          seed: of the lot.
          normalization: of the scores before the lot: "standard", to mean 0 and
            deviation 1 in each row, or "l2", the authors', with which temperature 1
            gives all nearly the same chance.
          latent: score the weights behind the mask too. Otherwise a masked block scores
            as zero, and comes back by lot only.
          **kwargs: for the Keras layer.

        Raises:
          ValueError: if the layer has nothing to prune or a setting does not fit.
        """
        self.regrowth = Regrowth(
            n, criterion, alpha, temperature, normalization, latent
        )
        if not 0 <= decay < math.inf:
            raise ValueError(
                f"The decay must be a finite number of at least 0, found {decay!r}. "
                "The paper's is 2e-4."
            )
        self.decay = float(decay)
        self.seed = int(seed)
        super().__init__(layer, pruning_schedule, **kwargs)

    @property
    def block_size(self) -> int | None:
        return self.regrowth.n

    @property
    def losses(self) -> list[tf.Tensor]:
        """The layer's own, and what decays the weights behind the masks."""
        return tf_keras.layers.Layer.losses.fget(self)

    def build(self, input_shape):
        super().build(input_shape)
        if self.decay:
            for index in range(len(self.pruning_vars)):
                self.add_loss(functools.partial(self._decay_loss, index))

    def _decay_loss(self, index: int) -> tf.Tensor:
        """Returns a loss with the gradient ``decay * (1 - mask) * weight`` (SR-STE).

        A loss, as Keras' regularisers are, so that loss scaling and the number of
        replicas leave it as it is.
        """
        weight, mask, _ = self.pruning_vars[index]
        behind = (1 - mask) * tf.square(weight)
        return self.decay / 2 * tf.reduce_sum(behind)

    @staticmethod
    def _masked(weight, mask):
        # straight through: the gradient is that of the weight itself
        return weight - tf.stop_gradient(weight * (1 - mask))

    def _renewed(self, index, kernel, kept, sparsity):
        # the ops of the graph, so that masks do not depend on the callback
        shape = (-1, *kernel.shape[-2:])
        mask, lowest = self._renewal()(
            tf.constant(kernel.reshape(shape), tf.float32),
            tf.constant(kept.reshape(shape), tf.float32),
            sparsity,
            self._noise_key(index),
            self.pruning_step.read_value(),
        )
        return mask.numpy().reshape(kernel.shape) > 0, float(lowest)

    def _noise_key(self, index: int) -> int:
        return zlib.crc32(f"{self.seed} {self.layer.name} {index}".encode())

    def _renewal(self):
        groups = prunable.groups(self.layer)
        return _regrown(self.regrowth, self._final_sparsity(), groups)

    def _final_sparsity(self) -> float:
        return schedule_lib.final_sparsity(self.pruning_schedule)

    @staticmethod
    def _apply_mask(weight, mask) -> None:
        """Leaves the weights behind the mask, which go on learning."""

    @contextlib.contextmanager
    def as_stripped(self) -> Iterator[None]:
        learnt = [(weight, weight.read_value()) for weight, _, _ in self.pruning_vars]
        for weight, mask, _ in self.pruning_vars:
            KernelWrapper._apply_mask(weight, mask)
        try:
            with super().as_stripped():
                yield
        finally:
            for weight, value in learnt:
                weight.assign(value)

    def get_config(self) -> dict[str, Any]:
        settings = dataclasses.asdict(self.regrowth)
        settings.update(decay=self.decay, seed=self.seed)
        return {**super().get_config(), **settings}


@functools.cache
def _regrown(regrowth: Regrowth, final_sparsity: float, groups: int):
    regrown = tf_masks.regrow_function(regrowth, groups)
    return lambda kernel_wio, mask_wio, sparsity, key, step: regrown(
        kernel_wio, mask_wio, sparsity, final_sparsity, key, step
    )
