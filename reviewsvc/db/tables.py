"""The tables as SQLAlchemy Core knows them; the DDL in migrations/sql rules, and a test compares."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = sa.MetaData()

TYPES: Final[dict[str, sa.types.TypeEngine[Any]]] = {
    "small": sa.SmallInteger(),
    "int": sa.Integer(),
    "big": sa.BigInteger(),
    "real": sa.Double(),
    "text": sa.Text(),
    "texts": ARRAY(sa.Text()),
    "bytes": sa.LargeBinary(),
    "flag": sa.Boolean(),
    "uuid": sa.Uuid(),
    "time": sa.DateTime(timezone=True),
    "day": sa.Date(),
    "json": JSONB(),
}


def _table(name: str, columns: str, *, schema: str | None = None) -> sa.Table:
    """Read `name:type` words; `*` marks the key's columns, `?` those that may be null."""
    return sa.Table(name, metadata, *map(_column, columns.split()), schema=schema)


def _column(word: str) -> sa.Column[Any]:
    name, _, kind = word.partition(":")
    return sa.Column(
        name, TYPES[kind.rstrip("*?")], primary_key=kind.endswith("*"), nullable=kind.endswith("?")
    )


installation = _table(
    "installation",
    "one:flag* origin:text opened_at:time system_id:text timeline:int activity_logs:small",
)
restore_guard = _table(
    "restore_guard", "one:flag* server_start:time checked_at:time trouble:text? request:json? notes:texts"
)
step_trouble = _table("step_trouble", "step:text* since:time why:text")
generation = _table("generation", "one:flag* value:big")
log = _table(
    "log",
    "log_id:int* series:text incarnation:small kind:text topic:text? partition:int? shard:small? model:text?"
    " name:text?",
)
head = _table(
    "head",
    "log_id:int* frozen:flag epoch:big size:big last_hash:bytes last_at:big next_offset:big? topic_id:text?"
    " owner:text? owner_pid:int? owner_start:time?",
)
entry = _table("entry", "log_id:int* seq:big* body:bytes")
retention_class = _table(
    "retention_class", "retention_class:small* name:text keep_days:int prediction_days:int?"
)
payload = _table("payload", "retention_class:small* at:big* log_id:int* seq:big* ciphertext:bytes")
payload_held = _table("payload_held", "retention_class:small at:big log_id:int* seq:big* ciphertext:bytes")
prediction = _table(
    "prediction",
    "retention_class:small* at:big* log_id:int* seq:big* id_hash:bytes find:big model_id:int version_id:int"
    " contract_version:int policy_version:int? predicted_at:big label:text? value:real? confidence:real?"
    " failed:flag violations:small queue_id:int? rule:text? selection_probability:real? subject:bytes?"
    " segment:small?",
)
quarantine = _table("quarantine", "log_id:int* seq:big* at:big reason:text size:int")
data_key = _table(
    "data_key",
    "key_id:bytes* wrapped:bytes kek_id:text subject:bytes? log_id:int? day:day?",
    schema="keys",
)
hash_key = _table("hash_key", "purpose:text* wrapped:bytes kek_id:text", schema="keys")
capture_alarm = _table("capture_alarm", "log_id:int* reason:text detail:json since:time consent:json?")
relay_place = _table(
    "relay_place", "log_id:int* topic:text* seq:big topic_id:text end_offsets:json noted_at:time"
)
checkpoint = _table(
    "checkpoint", "log_id:int* size:big* root:bytes note:text at:big root_seq:big? root_log_id:int?"
)
tile = _table("tile", "log_id:int* level:small* tile_index:big* data:bytes")
siem_place = _table("siem_place", "sink:text* log_id:int* seq:big")
export_job = _table(
    "export_job",
    "job_id:uuid* person_id:uuid actor:text kind:text key_id:bytes commitment:bytes asked:bytes"
    " asked_at:time state:text done:big wanted:big? disclosed:big? withheld:big? size:big? tries:small"
    " fault:text? ended_at:time?",
)
export_download = _table("export_download", "log_id:int* seq:big* job_id:uuid person_id:uuid at:time")
signing_key = _table("signing_key", "log_id:int* seq:big* vkey:text valid_from:big valid_until:big?")
anchor = _table(
    "anchor",
    "log_id:int* seq:big* at:big name:text kind:text root_log_id:int size:big outcome:text evidence:bytes?",
)
cosignature = _table("cosignature", "log_id:int* seq:big* root_log_id:int size:big vkey:text line:text")
time_stamp = _table("time_stamp", "sha256:bytes* answer:bytes")
anchoring = _table(
    "anchoring",
    "name:text* kind:text place:text every_s:int vkey:text? log_id:int? size:big kept_at:big? tried_at:big?"
    " failures:int told_at:big? outcome:text? why:text?",
)
approval = _table(
    "approval",
    "approval_id:uuid* key_id:bytes? status:text requested_by:text requested_at:time log_id:int seq:big"
    " settled_by:text? settled_at:time? done_at:time? act:text",
)
erasure_left = _table(
    "erasure_left",
    "erasure_id:uuid* item:small* kind:text receiver:text amount:big last_at:big? told_by:text?"
    " told_at:time?",
)
answer_reader = _table("answer_reader", "model:text* reader:text* last_at:time")
erased_key = _table("erased_key", "log_id:int* seq:big* key_id:bytes")
hold = _table(
    "hold", "log_id:int* seq:big* hold_id:uuid key_id:bytes? model_id:int? id_hash:bytes? find:big?"
)
hold_released = _table("hold_released", "log_id:int* seq:big* hold_id:uuid")
dropped = _table("dropped", "log_id:int* seq:big* parent:text retention_class:small since:big until:big")
key_sweep = _table("key_sweep", "one:flag* wanted_at:time? swept_at:time?")

document = _table(
    "document",
    "kind:text* name:text* version:int* body:bytes sha256:bytes applied_at:time log_id:int seq:big",
)
model = _table(
    "model",
    "model_id:int* name:text contract_version:int policy_version:int? retention_class:small label_log_id:int"
    " failsafe_queue:text?",
)
model_version = _table("model_version", "version_id:int* model_id:int version:text")
queue = _table("queue", "queue_id:int* name:text version:int")
lane = _table("lane", "lane_id:int* queue_id:int skills:texts")
task = _table(
    "task",
    "task_id:uuid* id_hash:bytes model_id:int queue_id:int retention_class:small prediction_at:big"
    " prediction_log_id:int prediction_seq:big activity_log_id:int contract_version:int policy_version:int?"
    " rule:text reasons:texts selection_probability:real? model_label:text? model_value:real? priority:small"
    " reviewers:small blind:flag created_at:time due_at:time? status:text overdue:flag escalated:flag"
    " closed_at:time? answer_label:text? answer_value:real? answer_log_id:int? answer_seq:big?",
)
slot = _table(
    "slot",
    "slot_id:big* task_id:uuid lane_id:int priority:small due_at:time? snoozed_until:time? state:text"
    " reviewer_id:uuid? token:big",
)
lease = _table("lease", "slot_id:big* until:time")
decision = _table(
    "decision",
    "decision_id:uuid* task_id:uuid slot_id:big? reviewer_id:uuid kind:text label:text? value:real?"
    " agreed:flag prediction_at:big at:big log_id:int seq:big retracted_log_id:int? retracted_seq:big?",
)
label = _table(
    "label",
    "log_id:int* seq:big* at:big op:text model_id:int id_hash:bytes kind:text label:text? value:real?"
    " prediction_at:big supersedes:big? decision_log_id:int? decision_seq:big?",
)
label_current = _table("label_current", "model_id:int* id_hash:bytes* log_id:int seq:big")
activity = _table("activity", "log_id:int* seq:big* at:big kind:text actor:text task_id:uuid? object:text?")

person = _table(
    "person",
    "person_id:uuid* name:text login:text password_hash:text? disabled_at:time? created_at:time theme:text"
    " single_keys:flag time_zone:text",
)
grant_held = _table("grant_held", "person_id:uuid* role:text* scope:text*")
session = _table("session", "session_hash:bytes* person_id:uuid created_at:time seen_at:time ended_at:time?")
token = _table(
    "token",
    "token_id:uuid* token_hash:bytes person_id:uuid name:text scopes:texts created_at:time expires_at:time"
    " ended_at:time?",
)
login_failure = _table("login_failure", "failure_id:big* login_hash:bytes at:time")
refusal_count = _table("refusal_count", "minute:time* reason:text* count:int")
idempotency = _table("idempotency", "key_hash:bytes* created_at:time status:small body:bytes")
