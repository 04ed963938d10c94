"""What a batch is built under: models with compiled contracts and policies, ids, and keys of keyed hashes."""

from dataclasses import dataclass

from msgspec.json import decode

from reviewsvc.crypto.kek import WrapsKeys
from reviewsvc.db.hot import keys as wrapped_keys
from reviewsvc.db.hot import rules as stored
from reviewsvc.db.hot.connection import Connected
from reviewsvc.domain.contract import read_contract
from reviewsvc.domain.contract_check import CompiledContract
from reviewsvc.domain.policy import Policy, read_policy
from reviewsvc.domain.policy_compile import CompiledPolicy, compile_policy
from reviewsvc.domain.projections import ModelIds
from reviewsvc.domain.queue import Queue, read_queue


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a batch sees it; without a policy nothing of it goes to people."""

    name: str
    ids: ModelIds
    contract_version: int
    contract: CompiledContract
    policy_version: int | None
    policy: CompiledPolicy | None


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything of one generation; `versions` grows when a new version of a model is met."""

    generation: int
    origin: str
    models: dict[str, Model]
    versions: dict[tuple[int, str], int]
    queues: dict[str, int]
    activity_logs: list[int]
    prediction_key: bytes
    subject_key: bytes
    sampling_key: bytes
    quarantine_class: int


def load(conn: Connected, kek: WrapsKeys) -> Rules:
    """Read and compile the rules that are in force; LookupError before the installation's first start."""
    rows = stored.load(conn)
    keys = {purpose: kek.unwrap(wrapped) for purpose, wrapped in wrapped_keys.hash_keys(conn).items()}
    queues = {row.name: read_queue(decode(row.document)) for row in rows.queues}
    return Rules(
        generation=rows.generation,
        origin=rows.origin,
        models={row.name: _model(row, queues) for row in rows.models},
        versions=rows.versions,
        queues={row.name: row.queue_id for row in rows.queues},
        activity_logs=rows.activity_logs,
        prediction_key=keys["prediction"],
        subject_key=keys["subject"],
        sampling_key=keys["sampling/1"],
        quarantine_class=rows.quarantine_class,
    )


def add_versions(conn: Connected, rules: Rules, wanted: set[tuple[int, str]]) -> None:
    """Give numbers to versions that were not met before."""
    if wanted:
        stored.add_versions(conn, sorted(wanted))
        rules.versions.update(stored.versions(conn))


def _model(row: stored.ModelRow, queues: dict[str, Queue]) -> Model:
    contract = CompiledContract(read_contract(decode(row.contract)))
    return Model(
        row.name,
        ModelIds(row.model_id, row.retention_class),
        row.contract_version,
        contract,
        row.policy_version,
        _policy(row, contract, queues),
    )


def _policy(
    row: stored.ModelRow, contract: CompiledContract, queues: dict[str, Queue]
) -> CompiledPolicy | None:
    if row.policy is not None:
        policy = read_policy(decode(row.policy))
    elif row.failsafe_queue is not None:
        policy = Policy(row.name, ())
    else:
        return None
    return compile_policy(policy, contract, queues, fail_safe=row.failsafe_queue)
