"""Writes the tables of supported layers from the code that decides."""

import inspect
from collections.abc import Callable, Iterable

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
    """Returns which weight of each kind of layer is pruned in blocks."""
    rows = [
        (_names([kind]), f"`{weight}`") for kind, weight in prunable._KERNELS.items()
    ]
    return _table(("layer", "weight that is pruned"), rows)


def single_weights_table() -> str:
    """Returns which weights are pruned one by one only, and which layers never."""
    single = prunable._SINGLE_WEIGHTS
    rows = [
        (_names([kind]), ", ".join(f"`{weight}`" for weight in weights))
        for kind, weights in single.items()
    ]
    never = [kind for kind in prunable._EXCLUDED if kind not in single]
    table = _table(("layer", "weights that are pruned"), rows)
    return f"{table}\n\nNever pruned: {_names(never)}."


def policy_table() -> str:
    """Returns what each policy prunes."""
    kinds = (policy.PrunePointwise, policy.PruneConvolutions, policy.PruneAll)
    return _table(
        ("policy", "layers"),
        [(_names([kind]), _first_paragraph(kind)) for kind in kinds],
    )


def rule_tables() -> str:
    """Returns what the tracer does at each kind of layer, a table for each module."""
    kinds_of: dict[Callable, list[type]] = {}
    for kind, rule in rules.RULES.items():
        kinds_of.setdefault(rule, []).append(kind)
    sections: dict[str, list[tuple[str, str]]] = {}
    for rule, kinds in sorted(kinds_of.items(), key=_place):
        title = _first_paragraph(inspect.getmodule(rule)).rstrip(".")
        row = (_names(kinds), _first_paragraph(rule))
        sections.setdefault(title, []).append(row)
    return "\n\n".join(
        f"### {title}\n\n{_table(('layers', 'their channels'), rows)}"
        for title, rows in sections.items()
    )


def _place(rule_and_kinds: tuple[Callable, list[type]]) -> int:
    """Returns where the docstring of the package names a rule's module."""
    module = rule_and_kinds[0].__module__.rsplit(".", 1)[1]
    return (rules.__doc__ or "").index(f"  {module} ")


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
