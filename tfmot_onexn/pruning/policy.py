"""Which layers of a model to prune."""

from typing import TypeAlias

import tf_keras
from tensorflow_model_optimization.sparsity import keras as tfmot

from tfmot_onexn.graph import calls, rearrange, surgery, tracing
from tfmot_onexn.graph import channel_groups as cg
from tfmot_onexn.pruning import prunable

Layer: TypeAlias = tf_keras.layers.Layer


class _Policy(tfmot.PruningPolicy):
    """Prunes layers of some kinds, and spares those at the model's ends.

    Attributes:
      stem: prune layers that read the model's input.
      classifier: prune layers that make the model's output.
    """

    description = ""

    def __init__(self, *, stem: bool, classifier: bool):
        self.stem = stem
        self.classifier = classifier

    def ensure_model_supports_pruning(self, model: tf_keras.Model) -> None:
        """Raises ValueError if the policy allows no layer of the model."""
        require_chosen(model, self, "weight")


class PrunePointwise(_Policy):
    """Prunes 1x1 convolutions, where MobileNets spend their time (the paper's choice).

    The classifier stays dense unless asked for; with it, all Dense layers are pruned,
    which are 1x1 convolutions of a single pixel.
    """

    description = "1x1 convolutions"

    def __init__(self, *, classifier: bool = False):
        super().__init__(stem=False, classifier=classifier)

    def allow_pruning(self, layer: Layer) -> bool:
        dense = self.classifier and isinstance(layer, tf_keras.layers.Dense)
        return (dense or rearrange.pointwise(layer)) and prunable.is_prunable(layer)


class PruneConvolutions(_Policy):
    """Prunes all convolutions but the one that reads the image, as for a ResNet."""

    description = "convolutions that do not read the image"

    def __init__(self, *, stem: bool = False, classifier: bool = False):
        super().__init__(stem=stem, classifier=classifier)

    def allow_pruning(self, layer: Layer) -> bool:
        return prunable.is_prunable(layer) and not isinstance(
            layer, tf_keras.layers.Dense
        )


class PruneAll(_Policy):
    """Prunes every layer that has weights to prune."""

    description = "every layer with a kernel or `get_prunable_weights()`"

    def __init__(self) -> None:
        super().__init__(stem=True, classifier=True)

    def allow_pruning(self, layer: Layer) -> bool:
        return prunable.is_prunable(layer, "weight")


def chosen_layers(
    model: tf_keras.Model, policy: tfmot.PruningPolicy, granularity: str = "block"
) -> list[Layer]:
    """Returns the layers of a model that a policy allows and that can be pruned.

    In a model without a graph (an unbuilt Sequential) the ends are not known and no
    layer is spared for standing there.
    """
    allowed = [
        layer
        for layer in surgery.leaf_layers(model)
        if prunable.is_prunable(layer, granularity) and policy.allow_pruning(layer)
    ]
    if not isinstance(policy, _Policy) or not calls.has_graph(model):
        return allowed
    spared: set[int] = set()
    for group in tracing.trace(model).groups:
        if not policy.stem and group.reads_model_input:
            spared |= {id(m.axis.layer) for m in group.members_as(cg.INPUT)}
        if not policy.classifier and group.makes_model_output:
            spared |= {id(m.axis.layer) for m in group.members_as(cg.OUTPUT)}
    return [layer for layer in allowed if id(layer) not in spared]


def require_chosen(
    model: tf_keras.Model, policy: tfmot.PruningPolicy, granularity: str
) -> None:
    """Raises ValueError if a policy chooses no layer of a model without wrappers."""
    if tracing.is_wrapped(model) or chosen_layers(model, policy, granularity):
        return
    kinds = {type(leaf).__name__ for leaf in surgery.leaf_layers(model)}
    remedy = "Choose another pruning_policy, for example PruneAll()."
    if chosen_layers(model, policy, "weight"):
        remedy = "Prune single weights with prune_weights."
    elif isinstance(policy, PruneAll):
        remedy = "Give the layers that have weights `get_prunable_weights()`."
    what = getattr(policy, "description", "what it allows")
    raise ValueError(
        f"{type(policy).__name__} found nothing to prune in {model.name!r}: it prunes "
        f"{what}, the model has {', '.join(sorted(kinds))}. {remedy}"
    )
