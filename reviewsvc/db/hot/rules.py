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


class RuleRows(NamedTuple):
    """All of it, as stored."""

    generation: int
    origin: str
    models: list[ModelRow]
    versions: dict[tuple[int, str], int]
    queues: dict[str, int]
    activity_logs: list[int]


_MODELS = (
    "SELECT m.model_id, m.name, m.retention_class, m.contract_version, c.body, m.policy_version, p.body, "
    "m.failsafe_queue FROM model m "
    "JOIN document c ON c.kind = 'contract' AND c.name = m.name AND c.version = m.contract_version "
    "LEFT JOIN document p ON p.kind = 'policy' AND p.name = m.name AND p.version = m.policy_version"
)


_ACTIVITY_LOGS = "SELECT log_id FROM log WHERE kind = 'activity' ORDER BY shard, log_id"
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
            {
                (model, version): version_id
                for version_id, model, version in conn.execute(
                    "SELECT version_id, model_id, version FROM model_version"
                )
            },
            dict(conn.execute("SELECT name, queue_id FROM queue").fetchall()),
            [
                row[0]
                for row in conn.execute(
                    "SELECT log_id FROM log WHERE kind = 'activity' ORDER BY shard, log_id"
                )
            ],
        )


def add_versions(conn: Connected, wanted: list[tuple[int, str]]) -> None:
    """Number versions of models that were not met before."""
    with conn.transaction():
        conn.cursor().executemany(
            "INSERT INTO model_version (model_id, version) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            sorted(wanted),
        )
