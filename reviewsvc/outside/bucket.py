"""An S3-compatible bucket: as an anchor with object lock, and as a place where logs are published."""

import datetime as dt
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reviewsvc.domain.anchoring import BROKEN, BUCKET, REFUSED, UNREACHABLE, AnchorError, Head, Kept
from reviewsvc.outside import shelf

_TIMES: Final = Config(connect_timeout=5, read_timeout=10, retries={"max_attempts": 3, "mode": "standard"})
# Many times what a checkpoint has: who answers more than that must not take all memory.
_MOST_BYTES: Final = 1 << 20
_TEXT: Final = "text/plain; charset=utf-8"
_BYTES: Final = "application/octet-stream"
_MISSING: Final = {"404", "NoSuchKey"}
_IMMUTABLE: Final = "public, max-age=31536000, immutable"


class BucketError(RuntimeError):
    """A bucket cannot be read or written; the text says which, and why."""


class Bucket:
    """The objects below `s3://BUCKET/PREFIX`; credentials and endpoint are what boto3 finds (AWS_…)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise BucketError(f"{url} is no bucket: s3://BUCKET/PREFIX is expected")
        self.url, self.name, self._bucket = url, url.rstrip("/"), parts.netloc
        self._prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        try:
            self._client: Any = boto3.client("s3", config=_TIMES)
        except (BotoCoreError, ValueError) as fault:
            raise BucketError(f"{url} cannot be used: {fault}") from fault

    def read(self, name: str) -> bytes | None:
        """Return an object's bytes; None if there is none. Raises BucketError."""
        with self._telling(name, or_missing=True):
            data: bytes = self._client.get_object(**self._named(name))["Body"].read(_MOST_BYTES)
            return data
        return None

    def write(self, name: str, data: bytes) -> None:
        """Write an object of a published log, with its type and life in caches. Raises BucketError."""
        told = _BYTES if "tile/" in name else _type(name)
        cached = _IMMUTABLE if "tile/" in name else "no-cache"
        with self._telling(name):
            self._client.put_object(**self._named(name), Body=data, ContentType=told, CacheControl=cached)

    def sync(self) -> None:
        """Do nothing: an object that was written is durable."""

    def names(self, folder: str, behind: str = "") -> list[str]:
        """Return what is directly below a folder and comes by its name behind another. Raises BucketError."""
        prefix = f"{self._prefix}{folder}/"
        asked = {
            "Bucket": self._bucket,
            "Prefix": prefix,
            "Delimiter": "/",
            "StartAfter": f"{prefix}{behind}",
        }
        found: list[str] = []
        with self._telling(folder):
            for page in self._client.get_paginator("list_objects_v2").paginate(**asked):
                found += [each["Key"] for each in page.get("Contents", ())]
                found += [each["Prefix"] for each in page.get("CommonPrefixes", ())]
        return [each.removeprefix(prefix).rstrip("/") for each in found]

    def lock(self, name: str, data: bytes, until: dt.datetime | None) -> None:
        """Write an object that nobody can delete until then, or as long as the bucket's own rule says."""
        held = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until} if until else {}
        with self._telling(name):
            asked = {**self._named(name), "Body": data, "ContentType": _TEXT, "ChecksumAlgorithm": "SHA256"}
            self._client.put_object(**asked, **held)

    def locked_until(self, name: str) -> dt.datetime | None:
        """Return until when an object cannot be deleted; None if it can be."""
        with self._telling(name):
            found: dt.datetime | None = self._client.head_object(**self._named(name)).get(
                "ObjectLockRetainUntilDate"
            )
            return found
        return None

    def _named(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": f"{self._prefix}{name}"}

    @contextmanager
    def _telling(self, name: str, *, or_missing: bool = False) -> Iterator[None]:
        """Turn what goes wrong into a sentence; what is missing may be none of that."""
        try:
            yield
        except ClientError as fault:
            code = str(fault.response.get("Error", {}).get("Code", ""))
            if not (or_missing and code in _MISSING):
                raise BucketError(f"{self.url}, {name}: {code} {_said(fault)}") from fault
        except BotoCoreError as fault:
            raise BucketError(f"{self.url}, {name}: {fault}") from fault


class AnchorBucket:
    """Writes each checkpoint into a bucket with object lock, where nobody can delete it for some days."""

    kind = BUCKET
    vkey = None

    def __init__(self, url: str, days: int, *, every_s: int = 60) -> None:
        self._bucket, self._days = Bucket(url), days
        self.name, self.place, self.every_s = BUCKET, url, every_s

    def keep(self, head: Head, old: int) -> Kept:
        """Write a checkpoint and see that it is locked.

        Raises AnchorError, also if what is there from before is more, or another history.
        """
        name = f"{head.log}/{shelf.name_of(head.size)}"
        until = dt.datetime.now(dt.UTC) + dt.timedelta(days=self._days) if self._days else None
        with _as_anchor():
            log, sizes = self._kept(head.log, old)
            shelf.check(head, log, sizes, lambda size: self._read(log, size))
            if self._bucket.read(name) is None:
                self._bucket.lock(name, head.note.encode(), until)
            locked = self._bucket.locked_until(name)
        if locked is None:
            why = "it is written, but not locked: make the bucket with object lock, and set its days"
            raise AnchorError(BROKEN, why)
        return Kept()

    def newest(self, log: str, old: int) -> bytes | None:
        """Return the newest checkpoint in the bucket. Raises AnchorError."""
        with _as_anchor():
            newest, sizes = self._kept(log, old)
            return self._read(newest, sizes[-1]) if sizes else None
        return None

    def _kept(self, log: str, old: int) -> tuple[str, list[int]]:
        """The newest root log that is here, and the sizes that are kept of it from `old` on."""
        newest = shelf.newest_log(self._bucket.names(log.rpartition("/")[0]), log)
        # A bucket lists a thousand names at once, and has a new one each minute: old ones are passed over.
        behind = shelf.name_of(old - 1) if old and newest == log else ""
        return newest, shelf.sizes_in(self._bucket.names(newest, behind))

    def _read(self, log: str, size: int) -> bytes:
        return self._bucket.read(f"{log}/{shelf.name_of(size)}") or b""


@contextmanager
def _as_anchor() -> Iterator[None]:
    """Turn what a bucket says into what an anchor says."""
    try:
        yield
    except BucketError as fault:
        outcome = REFUSED if isinstance(fault.__cause__, ClientError) else UNREACHABLE
        raise AnchorError(outcome, str(fault)) from fault


def _type(name: str) -> str:
    if name.endswith(("checkpoint", ".txt")):
        return _TEXT
    return mimetypes.guess_type(name)[0] or _BYTES


def _said(fault: ClientError) -> str:
    return str(fault.response.get("Error", {}).get("Message", ""))[:200]
