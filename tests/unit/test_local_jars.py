import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reviewsvc.local.jars import KafkaUnavailableError, ensure_jars, pinned

pytestmark = pytest.mark.unit

CLOSED = "http://127.0.0.1:9"


def test_the_list_pins_one_kafka_and_its_client_of_the_same_version() -> None:
    names = [Path(path).name for path in pinned()]
    assert len(names) == len(set(names))
    assert {"kafka_2.13-4.3.0.jar", "kafka-clients-4.3.0.jar"} <= set(names)
    assert all(len(bytes.fromhex(digest)) == hashlib.sha256().digest_size for digest in pinned().values())


def test_a_jar_that_is_not_the_pinned_one_is_refused_by_name(tmp_path: Path) -> None:
    for path in pinned():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"something else")
    with pytest.raises(
        KafkaUnavailableError, match=r"\.jar is not the file .* expected [0-9a-f]{64}\): delete it"
    ):
        ensure_jars(tmp_path)


def test_without_a_network_one_line_says_what_to_do(tmp_path: Path) -> None:
    reach_nothing = {"XDG_CACHE_HOME": str(tmp_path), "HTTPS_PROXY": CLOSED, "https_proxy": CLOSED}
    done = subprocess.run(
        [sys.executable, "-m", "reviewsvc.local.jars"],
        env={**os.environ, **reach_nothing},
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    assert "could not be downloaded from Maven Central: connect to the network once" in last
    assert "KAFKA_BOOTSTRAP_SERVERS" in last
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.jar"))
