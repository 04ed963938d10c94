"""Apache Kafka's jars: brought from Maven once, kept in the user's cache, checked against our list each time.

Run as a module it fills the cache; with `--relist` it resolves Kafka's dependencies anew and prints the list.
"""

import hashlib
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from jgo import resolve
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext

from reviewsvc.local.folders import cache_folder
from reviewsvc.local.terminal import say

VERSION = "4.3.0"
# The "!" keeps log4j's managed versions from pulling kafka-clients back to an older one.
ENDPOINT = f"org.apache.kafka:kafka_2.13:{VERSION}+org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!"
LIST = Path(__file__).with_name("kafka-jars.sha256")
PARALLEL = 4
PROGRESS_EACH = 8
HTTP_SECONDS = 30


class KafkaUnavailableError(Exception):
    """Raised when Kafka's jars cannot be had or are not the ones we know."""


def pinned() -> dict[str, str]:
    """Return SHA-256 in hex by path inside a Maven repository."""
    return {path: digest for digest, path in (line.split() for line in LIST.read_text().splitlines())}


def ensure_jars(repository: Path | None = None) -> list[Path]:
    """Return the paths of Kafka's jars, downloading those the cache lacks; every one is checked.

    Raises KafkaUnavailableError without a network, or if a jar is not what the list says.
    """
    repository = repository or cache_folder() / "maven"
    wanted = pinned()
    missing = {path: digest for path, digest in wanted.items() if not (repository / path).exists()}
    if missing:
        _download(repository, missing)
    for path, digest in wanted.items():
        _check(repository / path, digest)
    return [repository / path for path in wanted]


def relist(repository: Path) -> Iterator[str]:
    """Yield the lines of a new list: Kafka's dependencies resolved, downloaded and hashed."""
    paths = sorted(f"{each.component.path_prefix.as_posix()}/{each.filename}" for each in resolve(ENDPOINT))
    _download(repository, {path: None for path in paths if not (repository / path).exists()})
    for path in paths:
        yield f"{_sha256(repository / path)}  {path}"


def _download(repository: Path, wanted: Mapping[str, str | None]) -> None:
    """Bring the jars at these paths, each with the digest it must have, if that is known."""
    say(f"Apache Kafka {VERSION}: downloading {len(wanted)} files (only this once)")
    repository.mkdir(parents=True, exist_ok=True)
    # A user's own mirrors, from jgo's settings file, are asked too.
    remotes = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    with TemporaryDirectory(dir=repository) as scratch, ThreadPoolExecutor(PARALLEL) as pool:
        context = MavenContext(repo_cache=Path(scratch), remote_repos=remotes, timeout=HTTP_SECONDS)
        waiting = [pool.submit(_fetch, context, repository, *each) for each in wanted.items()]
        try:
            for count, each in enumerate(waiting, 1):
                each.result()
                _progress(count, len(wanted))
        except (OSError, RuntimeError) as error:
            pool.shutdown(cancel_futures=True)
            raise KafkaUnavailableError(
                "Kafka's files could not be downloaded from Maven Central: connect to the network once, "
                f"or set KAFKA_BOOTSTRAP_SERVERS to a running broker ({type(error).__name__})"
            ) from error


def _progress(count: int, total: int) -> None:
    if count % PROGRESS_EACH == 0 or count == total:
        say(f"Apache Kafka {VERSION}: {count} of {total} files downloaded")


def _fetch(context: MavenContext, repository: Path, path: str, digest: str | None) -> None:
    """Download one jar beside its place, then rename it: what is half downloaded is never taken for a jar."""
    group, artifact, version, _ = path.rsplit("/", 3)
    jar = context.project(group.replace("/", "."), artifact).at_version(version).artifact()
    part = jar.resolve()
    if digest is not None:
        _check(part, digest)
    target = repository / path
    target.parent.mkdir(parents=True, exist_ok=True)
    part.rename(target)


def _check(path: Path, digest: str) -> None:
    found = _sha256(path)
    if found != digest:
        raise KafkaUnavailableError(
            f"{path} is not the file this version was made with (SHA-256 {found}, expected {digest}): "
            "delete it and start again; if it comes back so, do not use what serves it"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _main(repository: Path) -> int:
    try:
        if "--relist" in sys.argv:
            sys.stdout.writelines(f"{line}\n" for line in relist(repository))
        else:
            ensure_jars(repository)
    except KafkaUnavailableError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(cache_folder() / "maven"))
