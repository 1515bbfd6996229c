"""Writes the reference of the command line from its parser."""

import argparse
import re

from tfmot_onexn import cli


def reference() -> str:
    """Returns a section for each command: what it does, its usage, its arguments."""
    (commands,) = (
        action
        for action in cli.parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return "\n\n".join(_section(parser) for parser in commands.choices.values())


def _section(parser: argparse.ArgumentParser) -> str:
    positionals, options, *groups = (
        [action for action in group._group_actions if action.dest != "help"]
        for group in parser._action_groups
    )
    titles = [group.title for group in parser._action_groups[2:]]
    parts = [
        f"## `{parser.prog}`",
        f"{_escaped(parser.description)} {_escaped(parser.epilog)}".strip(),
        f"```text\n{_usage(parser.prog, positionals, options)}\n```",
        _table(positionals + options),
        *(
            f"{title[0].upper()}{title[1:]}:\n\n{_table(actions)}"
            for title, actions in zip(titles, groups, strict=True)
        ),
    ]
    return "\n\n".join(parts)


def _usage(
    program: str, positionals: list[argparse.Action], options: list[argparse.Action]
) -> str:
    """Returns what must be given; argparse's own usage is too long for a page."""
    several = {"+": " …"}
    words = [f"{a.metavar}{several.get(str(a.nargs), '')}" for a in positionals]
    words += [f"{a.option_strings[0]} {a.metavar}" for a in options if a.required]
    return " ".join([program, *words, "[OPTIONS]"])


def _table(actions: list[argparse.Action]) -> str:
    rows = "\n".join(f"| {_name(action)} | {_meaning(action)} |" for action in actions)
    return f"| argument | meaning |\n|---|---|\n{rows}"


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{action.metavar}`"
    return ", ".join(f"`{name}`" for name in action.option_strings)


def _meaning(action: argparse.Action) -> str:
    parts = [_escaped(action.help)]
    if action.choices:
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in action.choices))
    if action.required and action.option_strings:
        parts.append("required")
    if action.default is not None and action.default is not False:
        parts.append(f"default `{action.default}`")
    return "; ".join(part for part in parts if part)


def _escaped(text: str | None) -> str:
    return re.sub(r"([*_|<>])", r"\\\1", text or "")
