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
    tables = [
        _table(group.title, [a for a in group._group_actions if a.dest != "help"])
        for group in parser._action_groups
    ]
    parts = [
        f"## `{parser.prog}`",
        f"{_escaped(parser.description)} {_escaped(parser.epilog)}".strip(),
        f"```text\n{_usage(parser)}\n```",
        *(table for table in tables if table),
    ]
    return "\n\n".join(parts)


def _usage(parser: argparse.ArgumentParser) -> str:
    """Returns the usage, one line per option so that it fits a small screen."""
    text = parser.format_usage().removeprefix("usage: ")
    text = " ".join(text.split()).replace(" [-h]", "")
    return re.sub(r" (?=\[?-)", "\n    ", text)


def _table(title: str | None, actions: list[argparse.Action]) -> str:
    if not actions:
        return ""
    rows = "\n".join(f"| {_name(action)} | {_meaning(action)} |" for action in actions)
    heading = ""
    if title and title not in ("positional arguments", "options"):
        heading = f"{title[0].upper()}{title[1:]}:\n\n"
    return f"{heading}| argument | meaning |\n|---|---|\n{rows}"


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
    if action.option_strings and action.default not in (None, False):
        parts.append(f"default `{action.default}`")
    return "; ".join(part for part in parts if part)


def _escaped(text: str | None) -> str:
    return re.sub(r"([*_|<>])", r"\\\1", text or "")
