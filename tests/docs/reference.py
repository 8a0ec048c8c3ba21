"""Writes docs/command.md from the command itself: ``python -m tests.docs.reference``."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from typer.main import get_command

from cli.commands import app

TARGET = Path(__file__).parents[2] / "docs" / "command.md"

INTRODUCTION = """\
# The command

This page is made from the command's own help (`python -m tests.docs.reference`).

With `--json` (before or after the command's name) every command prints JSON: one object, or JSON Lines for lists.
Progress bars appear only on a terminal. Exit status: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted.
An error is one line on standard error.
"""


def reference() -> str:
    """The whole page."""
    group: Any = get_command(app)
    context = group.make_context("provenarium", [], resilient_parsing=True)
    return "\n".join([INTRODUCTION, *_sections(group, context)])


def _sections(group: Any, context: Any, within: str = "") -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from _sections(command, context, f"{within}{name} ")
        else:
            yield _section(within + name, command)


def _section(name: str, command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option" and param.name != "help"]
    usage = " ".join(
        ["provenarium", name, *(_metavar(param) for param in arguments)]
        + [f"{_flag(param)} {_value(param)}".strip() for param in options if param.required]
        + ["[OPTIONS]"]
    )
    lines = [f"## {name}", "", command.help.strip(), "", f"    {usage}", ""]
    rows = [(f"`{_metavar(param)}`", param.help or "") for param in arguments]
    rows += [(f"`{', '.join(param.opts)} {_value(param)}".strip() + "`", _help(param)) for param in options]
    lines += ["| | |", "|---|---|", *(f"| {left.replace('|', '/')} | {right} |" for left, right in rows), ""]
    return "\n".join(lines)


def _metavar(param: Any) -> str:
    return str(param.metavar or param.name.upper())


def _flag(param: Any) -> str:
    return str(max(param.opts, key=len))


def _value(param: Any) -> str:
    if param.is_flag:
        return ""
    kind = param.type_descriptor.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "/".join(str(member.value) for member in kind)
    return str(param.metavar or getattr(kind, "__name__", "value").upper().replace("STR", "TEXT"))


def _help(param: Any) -> str:
    text = param.help or ""
    default = getattr(param.default, "value", param.default)
    shown = default not in (None, False, ...) and not param.required and not callable(default)
    return f"{text} Default: `{default}`." if shown and default != [] else text


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
