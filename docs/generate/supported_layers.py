"""Writes the tables of supported layers from the code that decides."""

import inspect
from collections.abc import Iterable

import tf_keras

from tfmot_onexn.graph import rules
from tfmot_onexn.pruning import policy, prunable

layers = tf_keras.layers

# not layers that stand in a model by themselves
_ABSTRACT = (
    *(layers.Layer, layers.Wrapper, layers.InputLayer),
    *(layers.AbstractRNNCell, layers.StackedRNNCells),
)


def prunable_table() -> str:
    """Returns which kinds of layers have a kernel to prune, and which do not."""
    rows = [
        (_names([kind]), f"`{weight}`") for kind, weight in prunable._KERNELS.items()
    ]
    table = _table(("layer", "weight that is pruned"), rows)
    return f"{table}\n\nNever pruned: {_names(prunable._EXCLUDED)}."


def policy_table() -> str:
    """Returns what each policy prunes."""
    kinds = (policy.PrunePointwise, policy.PruneConvolutions, policy.PruneAll)
    return _table(
        ("policy", "layers"),
        [(_names([kind]), _first_paragraph(kind)) for kind in kinds],
    )


def rule_tables() -> str:
    """Returns what the tracer does at each kind of layer, a table for each module."""
    kinds_of: dict[rules.registry.Rule, list[type]] = {}
    for kind, rule in rules.RULES.items():
        kinds_of.setdefault(rule, []).append(kind)
    rows_of: dict[str, list[tuple[str, str]]] = {}
    for rule, kinds in kinds_of.items():
        title = _first_paragraph(inspect.getmodule(rule)).rstrip(".")
        row = (_names(kinds), _first_paragraph(rule))
        rows_of.setdefault(title, []).append(row)
    return "\n\n".join(
        f"### {title}\n\n{_table(('layer', 'its channels'), rows)}"
        for title, rows in sorted(rows_of.items())
    )


def without_rule() -> str:
    """Returns the layers of `tf_keras.layers` that the tracer cannot follow."""
    public = {
        kind
        for kind in vars(layers).values()
        if isinstance(kind, type) and issubclass(kind, layers.Layer)
    }
    unknown = [
        kind
        for kind in public - set(_ABSTRACT)
        if rules.rule_for(object.__new__(kind)) is None
    ]
    return _names(sorted(unknown, key=lambda kind: kind.__name__))


def _names(kinds: Iterable[type]) -> str:
    return ", ".join(f"`{kind.__name__}`" for kind in kinds)


def _first_paragraph(documented) -> str:
    text = inspect.getdoc(documented) or ""
    return " ".join(text.split("\n\n")[0].split())


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
