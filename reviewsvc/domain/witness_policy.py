"""C2SP tlog-policy: which witnesses there are, where, and which of them are enough."""

import re
from base64 import b64decode
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_THRESHOLD: Final = re.compile("[1-9][0-9]{0,3}")
NONE: Final = "none"


class PolicyError(ValueError):
    """A file is no policy; the text says which line, and why."""


class PolicyWitness(NamedTuple):
    """A witness: its name in the policy, its verifier key, and its submission prefix, if it is said."""

    name: str
    vkey: str
    url: str | None


class Group(NamedTuple):
    """So many of these witnesses or groups are enough."""

    needed: int
    members: list[str]


class Policy(NamedTuple):
    """The logs' verifier keys, the witnesses, the groups by name, and the name of whom is enough."""

    logs: list[str]
    witnesses: list[PolicyWitness]
    groups: dict[str, Group]
    quorum: str

    def is_met(self, vkeys: Collection[str]) -> bool:
        """Say whether the witnesses with these keys are enough."""
        cosigned = {each.name for each in self.witnesses if each.vkey in vkeys}
        return self._is_met(self.quorum, cosigned)

    def _is_met(self, name: str, cosigned: Collection[str]) -> bool:
        if name not in self.groups:
            return name == NONE or name in cosigned
        group = self.groups[name]
        return sum(self._is_met(member, cosigned) for member in group.members) >= group.needed


def parse_policy(data: bytes) -> Policy:
    """Read a policy strictly, but for its keys, which are only taken apart. Raises PolicyError."""
    # Names are octets to the specification: what is no UTF-8 stays as it is.
    text = data.decode("utf-8", "surrogateescape")
    if _CONTROL.search(text):
        raise PolicyError("a policy has no control characters but tabs and newlines")
    policy = Policy([], [], {}, "")
    for number, line in enumerate(text.split("\n"), 1):
        words = [word for word in re.split("[ \t]", line) if word]
        if words and not words[0].startswith("#"):
            try:
                policy = _learn(policy, words)
            except PolicyError as fault:
                raise PolicyError(f"line {number} of the policy: {fault}") from fault
    if not policy.quorum:
        raise PolicyError("a policy has a line `quorum NAME`, or `quorum none`")
    return policy


def _learn(policy: Policy, words: Sequence[str]) -> Policy:
    match words:
        case ["log", vkey] | ["log", vkey, _]:
            _refuse_twice(vkey, policy.logs)
            policy.logs.append(vkey)
        case ["witness", name, vkey, *url] if len(url) <= 1:
            _refuse_known(policy, name)
            _refuse_twice(vkey, [each.vkey for each in policy.witnesses])
            policy.witnesses.append(PolicyWitness(name, vkey, url[0] if url else None))
        case ["group", name, needed, *members] if members:
            _refuse_known(policy, name)
            policy.groups[name] = Group(_needed(needed, len(members)), _members(policy, members))
        case ["quorum", name]:
            if policy.quorum:
                raise PolicyError("there is a quorum already")
            if name not in {NONE, *_names(policy)}:
                raise PolicyError(f"{name[:80]} was not defined before")
            return policy._replace(quorum=name)
        case _:
            raise PolicyError(f"it should be log, witness, group or quorum: {' '.join(words)[:80]!r}")
    return policy


def _names(policy: Policy) -> set[str]:
    return {*policy.groups, *(each.name for each in policy.witnesses)}


def _refuse_known(policy: Policy, name: str) -> None:
    if name == NONE or name in _names(policy):
        raise PolicyError(f"the name {name[:80]} is taken")


def _refuse_twice(vkey: str, known: Collection[str]) -> None:
    """Two texts are the same key if they hold the same bytes behind name, id and kind."""
    if _material(vkey) in map(_material, known):
        raise PolicyError(f"the key of {vkey.partition('+')[0][:80]} is there twice")


def _material(vkey: str) -> bytes:
    try:
        return b64decode(vkey.split("+", 2)[2], validate=True)[1:]
    except (IndexError, ValueError) as fault:
        raise PolicyError(f"{vkey[:80]!r} is no verifier key NAME+ID+BASE64") from fault


def _needed(text: str, members: int) -> int:
    needed = {"any": 1, "all": members}.get(text)
    if needed is None and _THRESHOLD.fullmatch(text):
        needed = int(text)
    if needed is None or needed > members:
        raise PolicyError(f"{text[:20]} of {members} cannot be asked for: `all`, `any` or 1 to {members}")
    return needed


def _members(policy: Policy, members: Sequence[str]) -> list[str]:
    taken = {each for group in policy.groups.values() for each in group.members}
    for at, name in enumerate(members):
        if name not in _names(policy):
            raise PolicyError(f"{name[:80]} was not defined before")
        if name in taken or name in members[:at]:
            raise PolicyError(f"{name[:80]} is a member already")
    return list(members)
