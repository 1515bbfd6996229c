"""Writes what stock runtimes do with sparse kernels, from the rules of `summary`."""

import re

from tfmot_onexn.tflite import constraints


def tables() -> str:
    """Returns the verdicts and their reasons, a table for each kind of processor."""
    return "\n\n".join(
        f"## {runtime}: {constraints.RUNTIMES[runtime]}\n\n{_table(rules)}"
        for runtime, rules in constraints.RULES.items()
    )


def _table(rules: list[constraints.Rule]) -> str:
    # what stands in braces is filled in for each kernel
    rows = [(rule.word, re.sub(r"\{\w+\}", "…", rule.message)) for rule in rules]
    lines = [("verdict", "reason"), ("---", "---"), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
