import datetime as dt
import errno
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from reviewsvc.crypto.notes import COSIGNATURE, Signer
from reviewsvc.domain.anchoring import BROKEN, FORK, REFUSED, UNREACHABLE, AnchorError, Head, Kept
from reviewsvc.outside.anchor_folder import AnchorFolder
from reviewsvc.outside.anchor_mail import AnchorMail
from reviewsvc.outside.bucket import AnchorBucket, BucketError
from reviewsvc.usecases.anchor_choice import AnchorChoiceError, Choice, chosen
from tests.fixtures.buckets import Buckets, bucket_server
from tests.fixtures.tlog_trees import FORKED, HONEST, LEAVES, LOG, Grown

pytestmark = pytest.mark.unit
PARTED = Grown([*LEAVES[:25], b"forged".ljust(32), *LEAVES[26:]])


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Buckets]:
    with bucket_server(monkeypatch) as found:
        yield found


def head(size: int, tree: Grown = HONEST) -> Head:
    return Head("root/0", LOG.name, size, tree.root(size), tree.note(size), lambda old: tree.proof(old, size))


def test_a_folder_keeps_each_checkpoint_and_none_in_the_place_of_another(tmp_path: Path) -> None:
    anchor = AnchorFolder(tmp_path)
    for size in (3, 20, 20):
        assert anchor.keep(head(size), 0) == Kept()
    found = sorted((tmp_path / "root" / "0").iterdir())
    assert [path.name for path in found] == ["000000000000003.checkpoint", "000000000000020.checkpoint"]
    assert found[1].read_text() == HONEST.note(20)
    assert not found[1].stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    with pytest.raises(
        AnchorError, match=r"its checkpoint of 20 entries .* does not lead to our 20"
    ) as error:
        anchor.keep(head(20, FORKED), 0)
    assert error.value.outcome == FORK
    (tmp_path / "root" / "0" / "000000000000003.checkpoint").unlink()
    check_that_it_shows_more_than_it_is_given(anchor)
    garbage = tmp_path / "root" / "1" / "000000000000010.checkpoint"
    garbage.write_bytes(b"\xff nothing")
    with pytest.raises(
        AnchorError, match=r"root/1/000000000000010\.checkpoint is no checkpoint of ours"
    ) as error:
        anchor.keep(Head("root/1", LOG.name, 20, HONEST.root(20), HONEST.note(20), lambda _: []), 0)
    assert error.value.outcome == BROKEN
    with pytest.raises(AnchorError, match="is its disk mounted") as error:
        AnchorFolder(tmp_path / "gone").keep(head(3), 0)
    assert error.value.outcome == BROKEN


def test_a_folder_on_a_full_disk_keeps_nothing_and_is_left_tidy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    anchor = AnchorFolder(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        for size in (3, 20):
            with pytest.raises(AnchorError, match="No space left"):
                anchor.keep(head(size), 0)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert anchor.keep(head(20), 0) == Kept()


def check_that_it_shows_more_than_it_is_given(anchor: AnchorFolder | AnchorBucket) -> None:
    """Of a history that goes on, one that does not, and a later root log, it shows what tells them apart."""
    for size in (24, 28, 32, 40):
        anchor.keep(head(size), 20)
    assert anchor.newest("root/0", 20) == HONEST.note(40).encode()
    told: dict[Head, list[int]] = {
        head(30): [28, 40],
        head(44, FORKED): [20, 40],
        head(36, PARTED): [24, 28, 40],
    }
    for given, shown in told.items():
        with pytest.raises(AnchorError, match=r"Stop writing") as error:
            anchor.keep(given, 20)
        assert (error.value.outcome, error.value.notes) == (
            FORK,
            tuple(HONEST.note(size).encode() for size in shown),
        )
    later = Head("root/1", LOG.name, 9, HONEST.root(9), HONEST.note(9), lambda old: HONEST.proof(old, 9))
    assert anchor.newest("root/1", 0) is None
    anchor.keep(later, 0)
    with pytest.raises(AnchorError, match="a restore is forgotten") as error:
        anchor.keep(head(44), 40)
    assert error.value.notes == (HONEST.note(9).encode(),)


def test_a_bucket_keeps_what_nobody_can_delete(buckets: Buckets) -> None:
    anchor = AnchorBucket("s3://locking/house/anchors", 30)
    assert anchor.keep(head(20), 0) == anchor.keep(head(20), 0) == Kept()
    place = {"Bucket": "locking", "Key": "house/anchors/root/0/000000000000020.checkpoint"}
    kept = buckets.client.get_object(**place)
    assert kept["Body"].read().decode() == HONEST.note(20)
    assert kept["ObjectLockMode"] == "COMPLIANCE"
    assert kept["ObjectLockRetainUntilDate"] > dt.datetime.now(dt.UTC) + dt.timedelta(days=29)
    with pytest.raises(ClientError, match="AccessDenied"):
        buckets.client.delete_object(**place, VersionId=kept["VersionId"])
    versions = buckets.client.list_object_versions(Bucket="locking")["Versions"]
    assert len(versions) == 1
    with pytest.raises(AnchorError, match="does not lead to our 20") as error:
        anchor.keep(head(20, FORKED), 0)
    assert error.value.outcome == FORK
    check_that_it_shows_more_than_it_is_given(anchor)


def test_a_bucket_without_a_lock_or_that_is_not_there_is_said(
    buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert buckets
    wanted = {"s3://plain": BROKEN, "s3://nowhere/x": REFUSED}
    for url, outcome in wanted.items():
        with pytest.raises(AnchorError) as error:
            AnchorBucket(url, 0).keep(head(20), 0)
        assert (error.value.outcome, bool(str(error.value))) == (outcome, True)
    with pytest.raises(BucketError, match="s3://BUCKET/PREFIX"):
        AnchorBucket("s4://plain", 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(AnchorError) as error:
        AnchorBucket("s3://plain", 0).keep(head(20), 0)
    assert error.value.outcome == UNREACHABLE


@contextmanager
def mail_server(answers: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """A server that takes mails; `answers` are for commands that are to be answered otherwise."""
    said: list[str] = []

    def serve(listening: socket.socket) -> None:
        caller, _ = listening.accept()
        with caller, caller.makefile("rw", newline="") as talk:
            is_mail = False
            print("220 mail.example", file=talk, end="\r\n", flush=True)
            for line in talk:
                said.append(line)
                word = line[:4].upper().strip()
                if is_mail and line != ".\r\n":
                    continue
                is_mail = word == "DATA"
                usual = {"DATA": "354 go on", "QUIT": "221 bye"}.get(word, "250 8BITMIME")
                told = answers.get(word, usual)
                print(told, file=talk, end="\r\n", flush=True)
                if word == "QUIT":
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield f"smtp://127.0.0.1:{listening.getsockname()[1]}", said
        thread.join(5)


def test_a_mailbox_is_sent_the_checkpoint_as_it_is() -> None:
    with mail_server({}) as (url, said):
        assert AnchorMail(url, "log@house.example", "keeper@far.example").keep(head(20), 0) == Kept()
    told = "".join(said).replace("\r\n", "\n")
    assert HONEST.note(20) in told
    assert f"Subject: Checkpoint of {LOG.name}: 20 entries" in told.replace("\n ", " ")


def test_a_mail_server_that_refuses_or_is_away_is_said() -> None:
    with mail_server({"RCPT": "550 nobody here"}) as (url, _), pytest.raises(AnchorError) as error:
        AnchorMail(url, "log@house.example", "keeper@far.example").keep(head(20), 0)
    assert error.value.outcome in {REFUSED, UNREACHABLE}
    for url, outcome in (("smtp://127.0.0.1:9", UNREACHABLE), ("http://mail", BROKEN)):
        with pytest.raises(AnchorError) as error:
            AnchorMail(url, "log@house.example", "keeper@far.example").keep(head(20), 0)
        assert error.value.outcome == outcome


WITNESS = Signer("w.example", COSIGNATURE, bytes(32)).verifier().text()
POLICIES = {
    f"quorum none\nwitness folder {WITNESS}\n".encode(): "rename",
    f"witness a {WITNESS} https://me:secret@w.example\nquorum a\n".encode(): "no user or password$",
    b"witness a nonsense\nquorum a\n": "no verifier key",
    f"witness a {LOG.verifier().text()}\nquorum a\n".encode(): "04",
    b"": "quorum",
}


@pytest.mark.parametrize("data", POLICIES)
def test_a_policy_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "policy.txt"
    path.write_bytes(data)
    with pytest.raises(AnchorChoiceError, match=POLICIES[data]):
        chosen(Choice(policy_file=str(path)))
    with pytest.raises(AnchorChoiceError, match="cannot be used"):
        chosen(Choice(policy_file=str(tmp_path / "missing")))
