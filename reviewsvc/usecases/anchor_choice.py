"""The anchors that settings name, made ready to be given checkpoints."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from reviewsvc.crypto import time_stamps
from reviewsvc.crypto.cosignatures import picker
from reviewsvc.crypto.notes import NoteError
from reviewsvc.domain.anchoring import QUORUM, Anchor
from reviewsvc.domain.witness_policy import Policy, PolicyError, parse_policy
from reviewsvc.outside.anchor_folder import AnchorFolder
from reviewsvc.outside.anchor_mail import AnchorMail
from reviewsvc.outside.time_stamps import Stamping, TimeStamps
from reviewsvc.outside.witness import Witness

_OURS = {QUORUM, "bucket", "time_stamp", "folder", "mail"}


class AnchorChoiceError(ValueError):
    """An anchor that the settings name cannot be used; the text says which, and what to do."""


class Choice(NamedTuple):
    """What settings say of anchors; what is empty is not wanted. `every_s` is in seconds."""

    every_s: int = 60
    policy_file: str = ""
    bucket: str = ""
    bucket_days: int = 0
    tsa_url: str = ""
    tsa_ca_file: str = ""
    folder: str = ""
    mail_to: str = ""
    mail_from: str = ""
    mail_minutes: int = 60
    smtp_url: str = ""


def chosen(choice: Choice) -> tuple[list[Anchor], Policy | None]:
    """Return the anchors, and the witnesses' policy if there is one. Raises AnchorChoiceError."""
    policy = read_policy(Path(choice.policy_file)) if choice.policy_file else None
    witnesses = [*_witnesses(policy, choice.every_s)] if policy else []
    return [*witnesses, *_others(choice)], policy


def read_policy(path: Path) -> Policy:
    """Read a policy whose witnesses' keys are sound. Raises AnchorChoiceError."""
    try:
        policy = parse_policy(path.read_bytes())
        for each in policy.witnesses:
            picker(each.vkey)
    except (OSError, PolicyError, NoteError) as fault:
        raise AnchorChoiceError(f"the witnesses' policy {path} cannot be used: {fault}") from fault
    taken = sorted(each.name for each in policy.witnesses if each.name in _OURS)
    if any("@" in (each.url or "") for each in policy.witnesses):
        raise AnchorChoiceError(
            f"{path}: a witness's address stands on pages and in logs, so it must hold no user or password"
        )
    if taken:
        raise AnchorChoiceError(f"{path}: {taken[0]} is what another anchor is called; rename the witness")
    return policy


def _witnesses(policy: Policy, every_s: int) -> Iterator[Anchor]:
    for each in policy.witnesses:
        if each.url is not None:
            yield Witness(each.name, each.url, each.vkey, picker(each.vkey), every_s=every_s)


def _others(choice: Choice) -> Iterator[Anchor]:
    if choice.bucket:
        yield _bucket(choice)
    if choice.tsa_url:
        yield _time_stamps(choice)
    if choice.folder:
        yield AnchorFolder(Path(choice.folder), every_s=choice.every_s)
    if choice.mail_to:
        every_s = choice.mail_minutes * 60
        yield AnchorMail(choice.smtp_url, choice.mail_from, choice.mail_to, every_s=every_s)


def _bucket(choice: Choice) -> Anchor:
    try:
        # boto3 is an extra, so that only who names a bucket needs it.
        module = importlib.import_module("reviewsvc.outside.bucket")
    except ImportError as fault:
        raise AnchorChoiceError(f"{choice.bucket} needs boto3: pip install 'reviewsvc[s3]'") from fault
    made: Anchor = module.AnchorBucket(choice.bucket, choice.bucket_days, every_s=choice.every_s)
    return made


def _time_stamps(choice: Choice) -> Anchor:
    roots = time_stamps.roots_in(Path(choice.tsa_ca_file))

    def ask(data: bytes) -> Stamping:
        question = time_stamps.Question(data)
        return Stamping(question.encode(), lambda answer: question.check(answer, roots))

    return TimeStamps(choice.tsa_url, ask, every_s=choice.every_s)
