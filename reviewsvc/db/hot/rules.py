"""What a batch is built under, read in one snapshot: the generation, the models and their documents."""

from typing import NamedTuple

from reviewsvc.db.hot.connection import Connected


class ModelRow(NamedTuple):
    """A model with the canonical bodies of the contract and policy that are in force."""

    model_id: int
    name: str
    retention_class: int
    contract_version: int
    contract: bytes
    policy_version: int | None
    policy: bytes | None
    failsafe_queue: str | None


class QueueRow(NamedTuple):
    """A queue with the canonical body of its document that is in force."""

    queue_id: int
    name: str
    document: bytes


class RuleRows(NamedTuple):
    """All of it, as stored."""

    generation: int
    origin: str
    models: list[ModelRow]
    versions: dict[tuple[int, str], int]
    queues: list[QueueRow]
    activity_logs: list[int]
    quarantine_class: int


_QUARANTINE = "SELECT retention_class FROM retention_class WHERE name = 'quarantine'"
_MODELS = (
    "SELECT m.model_id, m.name, m.retention_class, m.contract_version, c.body, m.policy_version, p.body, "
    "m.failsafe_queue FROM model m "
    "JOIN document c ON c.kind = 'contract' AND c.name = m.name AND c.version = m.contract_version "
    "LEFT JOIN document p ON p.kind = 'policy' AND p.name = m.name AND p.version = m.policy_version"
)


_QUEUES = (
    "SELECT q.queue_id, q.name, d.body FROM queue q "
    "JOIN document d ON d.kind = 'queue' AND d.name = q.name AND d.version = q.version"
)
_ACTIVITY_LOGS = "SELECT max(log_id) FROM log WHERE kind = 'activity' GROUP BY shard ORDER BY shard"
_VERSIONS = "SELECT version_id, model_id, version FROM model_version"


def load(conn: Connected) -> RuleRows:
    """Read the rules as of one moment."""
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows = conn.execute("SELECT g.value, i.origin FROM generation g, installation i").fetchone()
        if rows is None:
            raise LookupError("the installation is not opened yet: start any process of the service once")
        generation, origin = rows
        return RuleRows(
            generation,
            origin,
            [ModelRow(*row) for row in conn.execute(_MODELS)],
            versions(conn),
            [QueueRow(*row) for row in conn.execute(_QUEUES)],
            [row[0] for row in conn.execute(_ACTIVITY_LOGS)],
            next(row[0] for row in conn.execute(_QUARANTINE)),
        )


def versions(conn: Connected) -> dict[tuple[int, str], int]:
    """The numbers of the models' versions."""
    return {(model, version): number for number, model, version in conn.execute(_VERSIONS)}


def add_versions(conn: Connected, wanted: list[tuple[int, str]]) -> None:
    """Number versions of models that were not met before."""
    with conn.transaction():
        conn.cursor().executemany(
            "INSERT INTO model_version (model_id, version) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            sorted(wanted),
        )
