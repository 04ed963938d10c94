"""`python -m tests.contract.commands_page` writes docs/commands.md from the commands themselves."""

from collections.abc import Iterator
from typing import Final

import click

from reviewsvc import cli
from tests.contract.source import ROOT

PAGE: Final = ROOT / "docs" / "commands.md"
INTRODUCTION: Final = """\
# Commands

Written by `make docs` from the commands themselves; a test compares. A failure is one line on stderr, after
wrong usage with the usage above it, and exit code 1. `reviewsvc audit verify` ends with 0 VERIFIED,
1 TAMPERED, 2 INCOMPLETE or SELF-CONSISTENT, 3 could not run.
"""


def rendered() -> str:
    """Return the whole page."""
    top = click.Context(cli.cli, info_name="reviewsvc")
    return "\n".join([INTRODUCTION, *_sections(top)])


def _sections(parent: click.Context) -> Iterator[str]:
    group = parent.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield _section(context)
            yield from _sections(context)
        else:
            yield _section(context)


def _section(context: click.Context) -> str:
    usage = " ".join(context.command.collect_usage_pieces(context))
    lines = [f"## {context.command_path}", "", (context.command.help or "").strip(), ""]
    lines += [f"`{context.command_path} {usage}`".replace(" `", "`"), ""]
    records = (each.get_help_record(context) for each in context.command.params)
    options = [f"- `{record[0]}` {record[1]}".rstrip() for record in records if record]
    return "\n".join([*lines, *options, ""] if options else lines)


if __name__ == "__main__":
    PAGE.write_text(rendered())
