"""Who may do what: roles are sets of permissions, held everywhere, for one model or for one queue."""

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

EVERYWHERE: Final = "*"
SCOPE: Final = re.compile(r"\*|(model|queue):[A-Za-z0-9._-]{1,100}")

PERMISSIONS: Final[Mapping[str, frozenset[str]]] = {
    "reviewer": frozenset({"queues.see", "tasks.see", "tasks.claim", "tasks.decide", "payloads.open"}),
    "lead": frozenset(
        {
            "queues.see",
            "tasks.see",
            "tasks.assign",
            "tasks.adjudicate",
            "payloads.open",
            "figures.see",
            "documents.see",
        }
    ),
    "auditor": frozenset(
        {
            "queues.see",
            "tasks.see",
            "entries.read",
            "entries.verify",
            "entries.export",
            "payloads.open",
            "decisions.see",
            "documents.see",
            "figures.see",
            "people.see",
            "quarantine.see",
        }
    ),
    "data": frozenset({"labels.pull", "decisions.see", "documents.see", "figures.see"}),
    "owner": frozenset(
        {
            "contracts.apply",
            "policies.apply",
            "queues.apply",
            "failsafe.set",
            "queues.see",
            "decisions.see",
            "documents.see",
            "figures.see",
        }
    ),
    "operator": frozenset(
        {"health.see", "gaps.accept", "quarantine.see", "quarantine.replay", "figures.see", "queues.see"}
    ),
    "admin": frozenset({"people.see", "people.manage", "tokens.manage", "sessions.manage"}),
    "steward": frozenset(
        {
            "subjects.erase",
            "subjects.export",
            "subjects.hold",
            "subjects.approve",
            "retention.set",
            "quarantine.see",
        }
    ),
}

# What concerns the whole installation is carried only by a role that is held everywhere.
INSTALLATION_WIDE: Final = frozenset(
    {
        "entries",
        "gaps",
        "health",
        "people",
        "quarantine",
        "retention",
        "sessions",
        "subjects",
        "tokens",
    }
)

ALL: Final = frozenset().union(*PERMISSIONS.values())


class PermissionDeniedError(Exception):
    """The person may not do this here."""


class GrantError(ValueError):
    """There is no such role, or no such place where it could hold."""


class Grant(NamedTuple):
    """A role that a person holds: everywhere (`*`), for `model:<name>` or for `queue:<name>`."""

    role: str
    scope: str = EVERYWHERE


class Reach(NamedTuple):
    """Where a permission holds: everywhere, or for these models and these queues."""

    everywhere: bool
    models: frozenset[str]
    queues: frozenset[str]

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.models or self.queues)

    def covers(self, model: str | None = None, queue: str | None = None) -> bool:
        """Say whether a thing of this model or in this queue is within reach."""
        return self.everywhere or model in self.models or queue in self.queues


_NOWHERE: Final = Reach(everywhere=False, models=frozenset(), queues=frozenset())


def check_grant(grant: Grant) -> Grant:
    """Return the grant if it can be held; GrantError says what is possible."""
    if grant.role not in PERMISSIONS:
        raise GrantError(f"there is no role {grant.role}: take one of {', '.join(PERMISSIONS)}")
    if not SCOPE.fullmatch(grant.scope):
        raise GrantError(f"a role holds for *, model:NAME or queue:NAME, not for {grant.scope}")
    return grant


def check_scopes(scopes: Collection[str]) -> None:
    """Refuse scopes of a token that name no permission: `*`, `tasks.*` and `tasks.claim` are possible."""
    for scope in scopes:
        if not any(_is_within(permission, [scope]) for permission in ALL):
            raise GrantError(f"no permission is called {scope}: take some of {', '.join(sorted(ALL))}")


def covered(scopes: Collection[str]) -> frozenset[str]:
    """Return the permissions that a token's scopes name."""
    return frozenset(permission for permission in ALL if _is_within(permission, scopes))


def reach(grants: Iterable[Grant], permission: str, scopes: Collection[str] | None = None) -> Reach:
    """Return where these grants carry a permission; a token's scopes narrow them.

    A permission about the whole installation reaches everywhere or nowhere.
    """
    if scopes is not None and not _is_within(permission, scopes):
        return _NOWHERE
    held = {grant.scope for grant in grants if permission in PERMISSIONS.get(grant.role, ())}
    if permission.partition(".")[0] in INSTALLATION_WIDE:
        return _NOWHERE._replace(everywhere=EVERYWHERE in held)
    return Reach(EVERYWHERE in held, _names(held, "model:"), _names(held, "queue:"))


def may(grants: Iterable[Grant], permission: str, model: str | None = None, queue: str | None = None) -> bool:
    """Say whether these grants carry a permission for a model, a queue, or, with neither, everywhere."""
    return reach(grants, permission).covers(model, queue)


def _names(held: Iterable[str], prefix: str) -> frozenset[str]:
    return frozenset(scope.removeprefix(prefix) for scope in held if scope.startswith(prefix))


def _is_within(permission: str, scopes: Collection[str]) -> bool:
    noun = permission.partition(".")[0]
    return not {EVERYWHERE, permission, f"{noun}.*"}.isdisjoint(scopes)
