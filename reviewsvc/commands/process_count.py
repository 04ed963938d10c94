"""The option that says how many processes share a command's work."""

import os

import click

_MOST = 64


class ProcessCount(click.ParamType[int]):
    """A number of processes, or `auto` for as many as this process may use processors."""

    name = "N|auto"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read the number; a usage error if it is none."""
        if value == "auto":
            return max(1, min(len(os.sched_getaffinity(0)), _MOST))
        if not str(value).isdecimal() or not 1 <= int(value) <= _MOST:
            self.fail(f"{value} is no number from 1 to {_MOST}, and not auto.", param, ctx)
        return int(value)
