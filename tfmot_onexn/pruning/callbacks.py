"""The training callback that renews masks between steps."""

import json
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.sparsity.keras import pruning_wrapper

from tfmot_onexn.pruning import filters
from tfmot_onexn.pruning.masking import MaskingWrapper
from tfmot_onexn.pruning.wrapper import KernelWrapper


class UpdatePruningStep(tf_keras.callbacks.Callback):
    """Counts steps and renews masks when their schedule says so.

    The masks are renewed between steps, outside the training graph, so that the graph
    of a pruned model is hardly larger than that of the model itself. tfmot's callback
    of the same name also works and puts the updates inside the graph.

    ```python
    pruned.fit(x, y, callbacks=[tfmot_onexn.UpdatePruningStep()])
    ```

    In a custom loop, call `set_model` and `on_train_begin` before the first step, then
    `on_train_batch_begin` before each and `on_epoch_end` after each epoch. Build a
    `tf.function` that trains only after `on_train_begin`.

    Layers that tfmot has wrapped are served as tfmot's callback serves them.
    """

    def __init__(self) -> None:
        super().__init__()
        self._by_schedule: list[list[MaskingWrapper]] = []
        self._next_step: Callable | None = None
        self._batch = 0

    def on_train_begin(self, logs=None) -> None:
        """Looks for the wrappers; ValueError if one is on a schedule and not built."""
        scheduled = [wrapper for wrapper in self._wrappers() if not wrapper.one_shot]
        for wrapper in scheduled + self._wrappers(tfmots=True):
            if not wrapper.built:
                raise ValueError(
                    f"Layer {wrapper.name!r} is not built, so it has no masks to renew "
                    "yet. Give the model its input shape before training: "
                    "model.build((None, height, width, channels)), or call it once."
                )
            if int(wrapper.pruning_step.numpy()) < 0:
                wrapper.pruning_step.assign(0)
        by_schedule: dict[tuple[str, int], list[MaskingWrapper]] = {}
        for wrapper in scheduled:
            config = json.dumps(wrapper.pruning_schedule.get_config(), default=str)
            # layers of a model trained before are further on than new ones
            key = config, int(wrapper.pruning_step.numpy())
            by_schedule.setdefault(key, []).append(wrapper)
        self._by_schedule = list(by_schedule.values())
        self._hand_over(True)
        self._next_step = self._step_function() if self._by_schedule else None

    def on_train_batch_begin(self, batch, logs=None) -> None:
        self._batch = batch
        self._advance()

    def on_train_batch_end(self, batch, logs=None) -> None:
        # with steps_per_execution a batch stands for several steps
        for _ in range(batch - self._batch):
            self._advance()

    def on_epoch_end(self, epoch=-1, logs=None, *, batch=-1) -> None:
        # tfmot's callback calls the first argument batch, and so do loops for it
        for wrapper in self._wrappers() + self._wrappers(tfmots=True):
            wrapper.pruning_obj.weight_mask_op()

    def on_train_end(self, logs=None) -> None:
        self._hand_over(False)

    def _wrappers(self, tfmots: bool = False) -> list[Any]:
        """Returns our wrappers or tfmot's, also those inside the user's own layers."""
        return [
            layer
            for layer in self.model._flatten_layers()
            if isinstance(layer, pruning_wrapper.PruneLowMagnitude)
            and isinstance(layer, MaskingWrapper) != tfmots
        ]

    def _hand_over(self, by_callback: bool) -> None:
        """Tells the wrappers who renews their masks, and drops a graph that differs."""
        changed = False
        for same in self._by_schedule:
            for wrapper in same:
                changed |= wrapper.updated_by_callback != by_callback
                wrapper.updated_by_callback = by_callback
        if changed and self.model.train_function is not None:
            self.model.make_train_function(force=True)

    def _scheduled(self) -> list[MaskingWrapper]:
        return [wrapper for same in self._by_schedule for wrapper in same]

    def _step_function(self) -> Callable:
        """Returns one graph that counts a step and asks every schedule about it."""

        @tf.function(autograph=False)
        def next_step():
            for wrapper in self._scheduled():
                wrapper.pruning_step.assign_add(1)
            return [
                same[0].pruning_schedule(same[0].pruning_step.read_value())
                for same in self._by_schedule
            ]

        return next_step

    def _advance(self) -> None:
        if self._next_step is None:
            return
        for same, (due, sparsity) in zip(
            self._by_schedule, self._next_step(), strict=True
        ):
            if due:
                self._renew(same, float(sparsity))

    def _renew(self, wrappers: list[MaskingWrapper], sparsity: float) -> None:
        for wrapper in wrappers:
            if isinstance(wrapper, KernelWrapper):
                wrapper.update_masks(sparsity)
        if any(isinstance(wrapper, filters.PruneFilters) for wrapper in wrappers):
            filters.update_masks(self.model, sparsity)
