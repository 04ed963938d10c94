"""Style sheets, scripts, pictures and the font, under an address that changes whenever any of them does."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from flask import Flask
from whitenoise import WhiteNoise
from whitenoise.compress import Compressor

from reviewsvc.web.headers import ALWAYS

SOURCE: Final = Path(__file__).parents[1] / "console" / "static"
_PREFIX: Final = "/static"


def serve(app: Flask, cache: Path) -> None:
    """Serve the files beside the application; compressed copies are made once, below `cache`.

    All stand under one hash, so that a script's own imports and a style sheet's font are as fresh as it is.
    """
    mark = _mark(SOURCE)
    folder = _compressed(SOURCE, cache / f"static-{mark}")
    prefix = f"{_PREFIX}/{mark}"
    app.wsgi_app = WhiteNoise(  # type: ignore[method-assign] # the documented way to wrap an application
        app.wsgi_app,
        root=str(folder),
        prefix=prefix,
        allow_all_origins=False,
        immutable_file_test=lambda _path, _url: True,
        add_headers_function=_add_headers,
    )
    app.jinja_env.globals["asset"] = _namer(prefix)


def _namer(prefix: str) -> Callable[..., str]:
    def asset(path: str, *, bare: bool = False) -> str:  # noqa: ARG001 - the font's address is in its style sheet too
        return f"{prefix}/{path}"

    return asset


def _add_headers(headers: Any, _path: str, _url: str) -> None:  # noqa: ANN401 - WhiteNoise ships no types
    for name, value in ALWAYS.items():
        headers[name] = value


def _mark(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _compressed(source: Path, folder: Path) -> Path:
    """Copy the files and a compressed form of each; the finished folder appears at once."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix="static-new-"))
    shutil.copytree(source, making, dirs_exist_ok=True)
    compressor = Compressor(use_brotli=False, quiet=True)
    files = [path for path in making.rglob("*") if path.is_file()]
    for path in filter(lambda path: compressor.should_compress(path.name), files):
        list(compressor.compress(str(path)))
    try:
        making.replace(folder)
    except OSError:
        # Another process was first; its folder has the same files.
        shutil.rmtree(making)
    return folder
