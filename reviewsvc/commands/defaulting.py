"""A group of commands, one of which needs no name."""

import click


class Defaulting(click.Group):
    """Takes what names none of its commands as the arguments of the one that is called `default`."""

    def __init__(self, *args: object, default: str, **more: object) -> None:
        self.default = default
        super().__init__(*args, **more)  # type: ignore[arg-type]  # click's own arguments, passed on

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name in front, unless a command or help is asked for."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [self.default, *args]
        return super().parse_args(ctx, args)
