"""Says which extra to install where a command needs more than the service itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def needed(extras: str) -> Iterator[None]:
    """Turn a package that is missing in the block's imports into one line that says how to get it."""
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if name in {"reviewsvc", "consumers"}:
            raise
        raise click.ClickException(
            f"This needs the package {name}, which is not installed: pip install 'reviewsvc[{extras}]'."
        ) from error
