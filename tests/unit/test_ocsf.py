"""Activity as OCSF: every kind fits its class's schema, and carries its way back to the log."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec import Raw

from reviewsvc.domain import facts as f
from reviewsvc.domain import ocsf
from reviewsvc.domain import subject_facts as sf
from reviewsvc.domain.entries import Actor, Entry, Payload, Ref, encode, encode_facts

pytestmark = pytest.mark.unit
SCHEMAS = Path(__file__).parents[1] / "vectors" / "ocsf"
CLASSES = {
    3001: "account_change",
    3002: "authentication",
    3004: "entity_management",
    3005: "user_access",
}
ANNA = Actor("person", "0199-p")
PERSON = f.Person("0199-p", role="reviewer", scope="loans", token="0199-t")
ALL: dict[str, f.Facts] = {
    "opened": f.Opened("a new log"),
    "gap_consented": f.GapConsented("predictions/t/0/0", 3, 7),
    "topic_accepted": f.TopicAccepted("labels.v1", "an-id"),
    "document": f.Document("policy", "loans", 2, "ab" * 32),
    "person_added": PERSON,
    "person_disabled": PERSON,
    "person_enabled": PERSON,
    "password_set": PERSON,
    "granted": PERSON,
    "grant_ended": f.Person("0199-p"),
    "token_created": PERSON,
    "token_ended": PERSON,
    "logged_in": PERSON,
    "logged_out": PERSON,
    "session_ended": PERSON,
    "refusals": f.Refusals(29_000_000, {"password": 3, "throttled": 1}),
    "key_made": f.Key("subject", "ab" * 32),
    "access": f.Access("to decide", "0199-k"),
    "decision": f.Decision(
        "0199-d", "0199-k", "ab", "loans", "review", agreed=True, reviewer="r", predicted_at=1
    ),
    "retraction": f.Retraction("0199-d", "0199-k", "ab", "loans", "r", 1),
    "task_moved": f.TaskMoved("0199-k", "ab", "loans", "snoozed", 1),
    "export": f.Export("bundle", None, 7, 9, "cd" * 32, 0),
    "signing_key": f.SigningKey("name+00+AA", 1),
    "kek_rotated": sf.KekRotated("ab", 2, 3),
    "verification": f.Verification("all", "TAMPERED", 7, 1, "predictions/t/0/0", 3),
    "anchor": f.Anchor("folder", "folder", "root/0", 7, "ab" * 32, "broken"),
    "continuation": f.Continuation("restore", "activity/0/0", 7, "ab" * 32, 9, "cd" * 32, 7, 9),
    "restore_adopted": f.RestoreAdopted("7", 1, 2, 3, 0),
    "erasure_requested": sf.ErasureAsked("0199-e", "ab"),
    "erasure_approved": sf.ErasureAsked("0199-e", "ab"),
    "erasure_refused": sf.ErasureAsked("0199-e", "ab"),
    "approval_requested": sf.ApprovalAsked("0199-w", "export", subject="ab"),
    "approval_granted": sf.ApprovalAsked("0199-w", "export", subject="ab"),
    "approval_refused": sf.ApprovalAsked("0199-w", "export", subject="ab"),
    "receiver_told": sf.ReceiverTold("0199-e", 1),
    "erasure": sf.Erasure("0199-e", "ab", 1, 0, 1, 2),
    "subject_export": sf.SubjectExport("ab", 1, 2),
    "hold_placed": sf.HoldPlaced("0199-h", model="loans"),
    "hold_released": sf.HoldReleased("0199-h"),
    "retention": sf.Retention("payload", 9, "brief", 1, 2),
    "of_tomorrow": f.Opened("a kind that nobody knows yet"),
}


def told(kind: str, actor: Actor | None = ANNA) -> dict[str, Any]:
    payload = Payload("application/json", 2, "ab" * 32, "cd" * 32, "ef" * 16)
    entry = Entry(
        *(1, "audit.example.org/activity/0/0", 17, "00" * 32, 1_763_715_600_123_456, kind),
        actor=actor,
        ref=Ref("predictions/t/0/0", 3),
        facts=Raw(encode_facts(ALL[kind])),
        payload=payload,
    )
    event = ocsf.event(encode(entry))
    assert b"\n" not in event.text
    found: dict[str, Any] = json.loads(event.text)
    return found


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    "actor", [None, *(Actor(kind, "x") for kind in ("person", "token", "cli", "process"))]
)
def test_every_kind_fits_the_schema_of_its_class(kind: str, actor: Actor | None) -> None:
    event = told(kind, actor)
    schema = json.loads((SCHEMAS / f"{CLASSES[event['class_uid']]}.json").read_bytes())
    assert [each.message for each in Draft202012Validator(schema).iter_errors(event)] == []
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


def test_an_event_leads_back_to_its_entry() -> None:
    event = told("decision")
    assert event["metadata"]["uid"] == "audit.example.org/activity/0/0#17"
    assert event["metadata"]["correlation_uid"] == "0199-k"
    assert event["time"] == 1_763_715_600_123
    assert event["unmapped"]["at_us"] == 1_763_715_600_123_456
    assert event["unmapped"]["facts"]["model"] == "loans"
    assert event["actor"]["user"]["uid"] == "0199-p"


def test_what_does_not_verify_is_a_critical_failure_and_what_was_not_kept_one_too() -> None:
    found = [told(kind) for kind in ("verification", "anchor", "erasure")]
    assert [(each["status_id"], each["severity_id"]) for each in found] == [(2, 5), (2, 3), (1, 1)]
    assert found[0]["status_detail"] == "TAMPERED"


def test_every_kind_of_activity_has_a_place_of_its_own() -> None:
    elsewhere = {"prediction", "quarantine", "gap", "label", "checkpoint"}
    assert set(f.KINDS) - elsewhere == set(ALL) - {"of_tomorrow"}


def test_refusals_are_failures_and_counted() -> None:
    event = told("refusals")
    assert (event["status_id"], event["count"]) == (2, 4)
    assert event["status_detail"] == "password: 3, throttled: 1"
