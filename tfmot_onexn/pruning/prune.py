"""Wraps a model for pruning, and strips it again."""

import functools
from typing import Any, TypeAlias

import numpy as np
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.graph import surgery, tracing
from tfmot_onexn.pruning import checks, filters, policy, wrapping
from tfmot_onexn.pruning import schedule as schedule_lib
from tfmot_onexn.pruning.calibration.settings import Calibration
from tfmot_onexn.pruning.preparation import Preparation, Prepared
from tfmot_onexn.pruning.soft_uniform import PruneSoftUniform1xN
from tfmot_onexn.pruning.wrapper import PruneLowMagnitude1xN
from tfmot_onexn.sparsity import masks
from tfmot_onexn.sparsity.masks import Pattern

Layer: TypeAlias = tf_keras.layers.Layer


def prune_low_magnitude_1xN(  # noqa: N802 (the method's name)
    to_prune,
    n: int = 4,
    pruning_schedule: tfmot.PruningSchedule = schedule_lib.OneShot(0.5),
    pruning_policy: tfmot.PruningPolicy = policy.PrunePointwise(),
    rearrange: str = "auto",
    uniform: bool = False,
    saliency: str = "l1",
    allocation: str = "per_layer",
    calibration: Calibration | np.ndarray | None = None,
    **kwargs: Any,
) -> Any:
    """Prunes a model's kernels in 1xN blocks while it trains (paper equations 4, 5).

    A block is ``n`` consecutive output channels at one input channel over the whole
    window. Those with the least saliency become zero, the same share in every layer.

    ```python
    pruned = tfmot_onexn.prune_low_magnitude_1xN(model, n=4)
    pruned.compile(optimizer, loss)
    pruned.fit(x, y, callbacks=[tfmot_onexn.UpdatePruningStep()])
    final = tfmot_onexn.strip_pruning(pruned)
    tfmot_onexn.convert_to_tflite(final, "model.tflite")
    ```

    Args:
      to_prune: a functional or Sequential `tf_keras` model, a layer, or a list of
        layers. It is not changed; a model is copied, layers are wrapped as they are.
      n: output channels per block.
      pruning_schedule: `OneShot` or one of tfmot's schedules.
      pruning_policy: which layers of a model to prune; of a list, the prunable ones.
      rearrange: reorder filters first so that the blocks keep more (paper section 3.3):
        "l1", "assignment", "swaps", "none", or "auto", which is "swaps" for a model
        with a graph and "none" with a log line otherwise. The schedule's final
        sparsity is used. The rearranged model computes the same function.
      uniform: keep the same number of blocks in every block row.
      saliency: "l1" or "l2".
      allocation: "per_layer", the same sparsity in every layer, or one budget of
        "parameters" or "macs" for all, see `allocation.sparsities`.
      calibration: images as the model takes them, or a `Calibration`: choose blocks by
        what outputs lose and solve for what stays, without labels or training.
      **kwargs: for the wrapper, if ``to_prune`` is a layer.

    Returns:
      A model, a layer or a list with pruning wrappers. A model must be compiled anew.

    Raises:
      ValueError: if ``to_prune`` or an argument does not fit; the message names the
        layer, the value and the remedy.
    """
    settings: dict[str, Any] = {"n": n, "uniform": uniform, "saliency": saliency}
    preparation = Preparation(
        Pattern(**settings), pruning_schedule, pruning_policy, allocation, calibration
    )
    prepared = preparation.prepare(to_prune, rearrange)
    return _wrap(
        prepared.model, pruning_schedule, pruning_policy, settings, kwargs, prepared
    )


def rearranged(
    model: tf_keras.Model,
    pattern: Pattern,
    sparsity: float,
    method: str,
    *,
    pruning_policy: tfmot.PruningPolicy,
    allocation: str = "per_layer",
    calibration: Calibration | np.ndarray | None = None,
) -> tf_keras.Model:
    """Returns a model whose filters are in order for pruning by a policy.

    Args:
      model: a functional or built Sequential model; it is not changed.
      pattern: of the blocks to come.
      sparsity: at the end of pruning, in [0, 1).
      method: one of `sparsity.permutation.METHODS`.
      pruning_policy: which layers will be pruned.
      allocation: how the sparsity is divided, see `prune_low_magnitude_1xN`.
      calibration: images to tell by how much an output loses with a weight.

    Raises:
      ValueError: if it is another kind of model.
    """
    checks.require_keras_model(model)
    when = schedule_lib.OneShot(sparsity)
    preparation = Preparation(pattern, when, pruning_policy, allocation, calibration)
    return surgery.copy_model(model, preparation.rearranged_weights(model, method))


def prune_weights(
    to_prune,
    pruning_schedule: tfmot.PruningSchedule = schedule_lib.OneShot(0.5),
    pruning_policy: tfmot.PruningPolicy = policy.PrunePointwise(),
    saliency: str = "l1",
    **kwargs: Any,
) -> Any:
    """Prunes single weights by magnitude: the paper's fine-grained baseline.

    The masks are those of tfmot's ``prune_low_magnitude``, but that of equal weights
    the first stay where tfmot keeps all. The arguments are those of
    `prune_low_magnitude_1xN`. Embeddings, recurrent layers, transposed and locally
    connected convolutions can be pruned too; `PruneAll` allows them.
    """
    masks.validate_sparsity(schedule_lib.final_sparsity(pruning_schedule))
    checks.validate(to_prune, pruning_policy)
    settings: dict[str, Any] = {"granularity": "weight", "saliency": saliency}
    return _wrap(to_prune, pruning_schedule, pruning_policy, settings, kwargs)


def prune_filters(
    to_prune: tf_keras.Model,
    pruning_schedule: tfmot.PruningSchedule = schedule_lib.OneShot(0.5),
    pruning_policy: tfmot.PruningPolicy = policy.PrunePointwise(),
    saliency: str = "l1",
) -> tf_keras.Model:
    """Prunes whole output channels by l1 norm: the paper's coarse baseline.

    Layers whose channels a residual add ties choose jointly. After training,
    ``shrink_filters(strip_pruning(model))`` is a smaller dense model with the same
    outputs.

    Args:
      to_prune: a functional or built Sequential model; it is not changed.
      pruning_schedule: `OneShot`, or one of tfmot's schedules with our
        `UpdatePruningStep`.
      pruning_policy: which layers choose. A group of tied layers is pruned if it allows
        all of them.
      saliency: "l1" or "l2".

    Raises:
      ValueError: if the model has no graph, or nothing in it can be removed.
    """
    sparsity = schedule_lib.final_sparsity(pruning_schedule)
    masks.validate_sparsity(sparsity)
    checks.validate(to_prune, pruning_policy)
    chosen = policy.chosen_layers(to_prune, pruning_policy)
    groups = filters.groups_to_prune(tracing.trace(to_prune), chosen)
    if not groups:
        raise ValueError(
            f"No filter of {to_prune.name!r} can be removed: every layer that "
            f"{type(pruning_policy).__name__} allows shares its channels with one that "
            "must stay. `summary` names them."
        )
    masked = {id(layer) for layer in filters.layers_to_mask(groups)}
    pruned = wrapping.map_with_weights(
        to_prune,
        lambda layer, copy: (
            filters.PruneFilters(copy, pruning_schedule, saliency)
            if id(layer) in masked
            else copy
        ),
    )
    if isinstance(pruning_schedule, schedule_lib.OneShot):
        filters.update_masks(pruned, sparsity)
    return pruned


def strip_pruning(model: tf_keras.Model) -> tf_keras.Model:
    """Returns a model without pruning wrappers, its pruned weights set to zero.

    Args:
      model: a wrapped model, with our wrappers or tfmot's; it is not changed.

    Raises:
      ValueError: if it is not a functional or Sequential `tf_keras` model.
    """
    checks.require_keras_model(model)
    pairs: list[tuple[Layer, Layer]] = []

    def strip(layer: Layer) -> Layer:
        bare = surgery.copy_layer(tracing.unwrapped(layer))
        if hasattr(layer, "_batch_input_shape"):
            # a Sequential model is built by its first layer's input shape
            bare._batch_input_shape = layer._batch_input_shape
        pairs.append((layer, bare))
        return bare

    stripped = surgery.map_layers(model, strip)
    for layer, bare in pairs:
        masks_of = {id(w): mask for w, mask, _ in getattr(layer, "pruning_vars", [])}
        inner = tracing.unwrapped(layer)
        if inner.built and not bare.built:
            bare.build_from_config(inner.get_build_config())
        for source, target in zip(inner.weights, bare.weights, strict=True):
            mask = masks_of.get(id(source))
            value = source.read_value()
            target.assign(value if mask is None else value * mask.read_value())
    return stripped


def prune_scope():
    """Returns a Keras scope in which wrapped models load, tfmot's and ours.

    Ours load without it once anything of this package has been used, or if TensorFlow
    was imported before it.
    """
    return tf_keras.utils.custom_object_scope(
        {
            "PruneLowMagnitude": pruning_wrapper.PruneLowMagnitude,
            "PruneLowMagnitude1xN": PruneLowMagnitude1xN,
            "PruneSoftUniform1xN": PruneSoftUniform1xN,
            "PruneFilters": filters.PruneFilters,
            "OneShot": schedule_lib.OneShot,
            "SoftUniformRamp": schedule_lib.SoftUniformRamp,
        }
    )


def _wrap(
    to_prune,
    pruning_schedule: tfmot.PruningSchedule,
    pruning_policy: tfmot.PruningPolicy,
    settings: dict[str, Any],
    kwargs: dict[str, Any],
    prepared: Prepared | None = None,
):
    if checks.is_single_layer(to_prune):
        settings = {**settings, **kwargs}
    return wrapping.wrap(
        to_prune,
        functools.partial(
            PruneLowMagnitude1xN, pruning_schedule=pruning_schedule, **settings
        ),
        pruning_policy,
        granularity=settings.get("granularity", "block"),
        weights=prepared.weights if prepared else None,
        schedules=prepared.schedules if prepared else None,
    )
