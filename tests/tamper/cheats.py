"""Ways to cheat, as a superuser of the database can, and what each kind of verification says of them."""

from collections.abc import Callable
from typing import NamedTuple

from reviewsvc.domain.verdict import Verdict
from tests.integration.history import LABELS, PREDICTIONS
from tests.tamper import forgeries as forge
from tests.tamper.forger import Forger

TAMPERED, INCOMPLETE, VERIFIED = Verdict.TAMPERED, Verdict.INCOMPLETE, Verdict.VERIFIED
SELF_CONSISTENT = Verdict.SELF_CONSISTENT

P = f"log_id = (SELECT log_id FROM log WHERE name = '{PREDICTIONS}')"
L = f"log_id = (SELECT log_id FROM log WHERE name = '{LABELS}')"
R = "log_id = (SELECT log_id FROM log WHERE name = 'root/0')"
FREE_ENTRY = "ALTER TABLE entry DROP CONSTRAINT entry_pkey"
FLIP = "UPDATE entry SET body = set_byte(body, {at}, get_byte(body, {at}) # 1) WHERE "
LAST = f"size = (SELECT max(size) FROM checkpoint WHERE {P})"
PUT = "UPDATE entry SET body = convert_to(replace(convert_from(body, 'UTF8'), '{0}', '{1}'), 'UTF8') WHERE "


class Cheat(NamedTuple):
    """What is done, words of a finding (none where nobody sees it), and what is said of it.

    By whom: who has the database alone; keys from outside; keys and the signer's memory. Who has stolen the
    keys goes on signing with them; in an anchored house a witness had cosigned the root just before.
    """

    name: str
    acts: tuple[str | Callable[[Forger], None], ...]
    told: str
    inside: Verdict = TAMPERED
    keys: Verdict = TAMPERED
    memory: Verdict = TAMPERED
    is_stolen: bool = False
    is_anchored: bool = False


def seen(name: str, told: str, *acts: str | Callable[[Forger], None]) -> Cheat:
    """A cheat that everybody sees who can read the database."""
    return Cheat(name, acts, told)


def stolen(name: str, told: str, act: Callable[[Forger], None]) -> Cheat:
    """One of those for which the signing keys were stolen."""
    return Cheat(name, (act,), told, is_stolen=True)


def anchored(name: str, told: str, act: str | Callable[[Forger], None]) -> Cheat:
    """One of those that are done to what a witness gave."""
    return Cheat(name, (act,), told, is_anchored=True)


ENTRIES = [
    seen("a byte of an entry", "the hash of its bytes", FLIP.format(at=300) + f"{P} AND seq = 5"),
    seen("its version", "do not begin", PUT.format('{"v":1', '{"v":2') + f"{P} AND seq = 5"),
    seen("its log", "do not begin", PUT.format("/0/0", "/1/0") + f"{P} AND seq = 5"),
    seen("its seq", "another seq", PUT.format('"seq":5', '"seq":6') + f"{P} AND seq = 5"),
    seen("its link", "carries", PUT.format('"prev":"', '"prev":"0') + f"{P} AND seq = 5"),
    seen("its time", "carries", PUT.format('"at":', '"at":1') + f"{P} AND seq = 5"),
    seen("its kind", "carries", PUT.format('"kind":"prediction"', '"kind":"outcome"') + f"{P} AND seq = 5"),
    seen("its place in Kafka", "offset", PUT.format('"offset":4', '"offset":9') + f"{P} AND seq = 5"),
    seen(
        "its answer",
        "differs in label",
        PUT.format('"label":"approve"', '"label":"refuse"') + f"{P} AND seq = 5",
    ),
    seen(
        "its payload's hash", "stored payload", PUT.format('"sha256":"', '"sha256":"0') + f"{P} AND seq = 5"
    ),
    seen(
        "a member said twice",
        "lawful form",
        PUT.format('"kind":"prediction"', '"kind":"prediction","kind":"prediction"') + f"{P} AND seq = 5",
    ),
    seen("white space", "lawful form", PUT.format('"kind":"', '"kind": "') + f"{P} AND seq = 5"),
    seen("an entry deleted", "missing", f"DELETE FROM entry WHERE {P} AND seq = 5"),
    seen("the first entry deleted", "missing", f"DELETE FROM entry WHERE {P} AND seq = 0"),
    seen("the head of a log cut", "missing", f"DELETE FROM entry WHERE {P} AND seq < 5"),
    seen("the last entry deleted", "missing", f"DELETE FROM entry WHERE {P} AND seq = 354"),
    seen(
        "two entries exchanged",
        "another seq",
        f"UPDATE entry e SET body = o.body FROM entry o WHERE e.{P} AND o.{P} AND e.seq + o.seq = 11 "
        "AND e.seq IN (5, 6)",
    ),
    seen(
        "an entry twice", "twice", FREE_ENTRY, f"INSERT INTO entry SELECT * FROM entry WHERE {P} AND seq = 5"
    ),
    seen(
        "an entry behind the head",
        "is stored",
        f"INSERT INTO entry SELECT log_id, 355, body FROM entry WHERE {P} AND seq = 5",
    ),
    seen("an entry of the root log", "the hash of its bytes", FLIP.format(at=300) + f"{R} AND seq = 3"),
    seen("the head's hash", "the head carries", f"UPDATE head SET last_hash = sha256('') WHERE {P}"),
    seen("the head's size", "is stored", f"UPDATE head SET size = size - 1 WHERE {P}"),
    seen("the head deleted", "its head is missing", f"DELETE FROM head WHERE {P}"),
    seen("a log's topic", "of another kind, topic", f"UPDATE log SET topic = 'other' WHERE {P}"),
    seen("a log's number in its name", "is called", f"UPDATE log SET series = series || 'x' WHERE {P}"),
    seen("a rule taken from a table", "may be empty", "ALTER TABLE entry ALTER COLUMN body DROP NOT NULL"),
    seen("a limit taken from a table", "of any length", "ALTER TABLE entry DROP CONSTRAINT entry_body_check"),
    seen("a log deleted", "does not exist", "DELETE FROM log WHERE name = 'labels/loans/0'"),
]
ROWS = [
    seen(
        "a prediction's row",
        "differs in confidence",
        f"UPDATE prediction SET confidence = 0.9 WHERE {P} AND seq = 5",
    ),
    seen("a prediction's row deleted", "is missing", f"DELETE FROM prediction WHERE {P} AND seq = 5"),
    seen("an answer", "differs in label", "UPDATE decision SET label = 'refuse' WHERE label = 'approve'"),
    seen("an answer deleted", "missing", "DELETE FROM decision WHERE retracted_seq IS NULL"),
    seen("a label", "differs in label", f"UPDATE label SET label = 'approve' WHERE {L} AND label = 'refuse'"),
    seen("a label deleted", "is missing", f"DELETE FROM label WHERE {L} AND seq = 3"),
    seen("the label in force", "label_current", "DELETE FROM label_current"),
    seen(
        "a contract's version", "differs in body", "UPDATE document SET body = '{}' WHERE kind = 'contract'"
    ),
    seen("a policy's version", "differs in", "UPDATE document SET body = body || ' ' WHERE kind = 'policy'"),
    seen(
        "a policy's version, and a hash that lies",
        "differs in body",
        "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS "
        "$$ SELECT sha256 FROM document WHERE kind = 'policy' ORDER BY version LIMIT 1 $$",
        "SET LOCAL search_path = public, pg_catalog",
        "UPDATE document SET body = body || ' ' WHERE kind = 'policy' AND version = 1",
    ),
    seen("a policy's version deleted", "is missing", "DELETE FROM document WHERE kind = 'policy'"),
    seen(
        "the policy in force",
        "newest version of its contract and policy",
        "UPDATE model SET policy_version = policy_version - 1",
    ),
    seen(
        "how long payloads are kept",
        "no contract says so",
        "UPDATE retention_class SET keep_days = 1 WHERE name = 'short'",
    ),
    seen("an act", "differs in actor", "UPDATE activity SET actor = 'cli:nobody' WHERE kind = 'decision'"),
    seen("an act deleted", "is missing", "DELETE FROM activity WHERE kind = 'decision'"),
    seen(
        "a task's answer",
        "another answer",
        "UPDATE task SET answer_label = 'refuse' WHERE answer_label = 'approve'",
    ),
    seen("a task's queue", "queue", "UPDATE task SET queue_id = 3 WHERE escalated"),
    seen("a task deleted", "task", "DELETE FROM task WHERE status = 'decided'"),
    seen(
        "a decision taken back",
        "rows of decision",
        "UPDATE decision SET retracted_log_id = 3, retracted_seq = 5 WHERE retracted_seq IS NULL",
    ),
    seen(
        "a payload",
        "stored payload",
        f"UPDATE payload SET ciphertext = ciphertext || '\\x00' WHERE {P} AND seq = 5",
    ),
    seen("a payload deleted", "payload is missing", f"DELETE FROM payload WHERE {P} AND seq = 5"),
    seen(
        "a payload given to another entry",
        "stored payload",
        f"UPDATE payload p SET ciphertext = o.ciphertext FROM payload o WHERE p.{P} AND o.{P} "
        "AND p.seq = 5 AND o.seq = 4",
    ),
    seen(
        "a subject's key deleted", "differs in subject", "DELETE FROM keys.data_key WHERE subject IS NOT NULL"
    ),
]
SEALS = [
    seen("a checkpoint deleted", "is not stored", f"DELETE FROM checkpoint WHERE {P} AND {LAST}"),
    seen("all checkpoints of a log deleted", "is not stored", f"DELETE FROM checkpoint WHERE {P}"),
    seen(
        "a checkpoint's root",
        "its note is of",
        f"UPDATE checkpoint SET root = sha256(root) WHERE {P} AND {LAST}",
    ),
    seen(
        "a checkpoint's size", "is not stored", f"UPDATE checkpoint SET size = size - 3 WHERE {P} AND {LAST}"
    ),
    seen("a checkpoint's time", "differs in at", f"UPDATE checkpoint SET at = at + 1 WHERE {P} AND {LAST}"),
    seen(
        "a checkpoint's place",
        "differs in root_seq",
        f"UPDATE checkpoint SET root_seq = 1 WHERE {P} AND {LAST}",
    ),
    seen("a checkpoint's signature", "does not hold", forge.spoil_signature),
    seen("the root's signature", "does not hold", forge.spoil_root_signature),
    seen("a checkpoint without its signature", "no known key", forge.strip_signature),
    seen("another log's note", "no known key signed", forge.exchange_notes),
    seen("an older note under a newer size", "its note is of", forge.replay_note),
    seen("a checkpoint of a stranger", "no known key signed", forge.sign_by_stranger),
    stolen("a checkpoint that the root log does not have", "in no entry", forge.sign_apart),
    seen(
        "a tile", "tile 0/0", f"UPDATE tile SET data = set_byte(data, 32, get_byte(data, 32) # 1) WHERE {P}"
    ),
    seen("a tile deleted", "tile 0/0 is missing", f"DELETE FROM tile WHERE {P}"),
    seen(
        "a tile that nothing asks for",
        "hold what is not signed",
        f"INSERT INTO tile SELECT log_id, 0, 7, data FROM tile WHERE {P}",
    ),
    seen(
        "a key's end",
        "signing_key",
        "UPDATE signing_key SET valid_until = valid_until + 1 WHERE valid_until > 0",
    ),
    seen("a key's beginning", "signing_key", "UPDATE signing_key SET valid_from = valid_from + 1"),
    seen("a key's end deleted", "is missing", "DELETE FROM signing_key WHERE valid_until > 0"),
    seen("a key exchanged in its table", "signing_key", forge.exchange_key_row),
    stolen("a key that ended signs", "and is good from", forge.sign_with_ended_key),
    stolen("a key signs before its beginning", "and is good from", forge.sign_with_later_key),
    stolen("a seal that begins anew", "go on from 0", forge.seal_anew),
    stolen("a seal without its proof", "does not continue it", forge.drop_proof),
    seen("the root log cut", "in no root log", forge.cut_root),
    seen("a log's end cut, its seals with it", "is not stored", lambda held: held.cut(PREDICTIONS, 320)),
    seen("a log rewritten, every hash anew", "its checkpoint says", forge.rewrite),
    seen("a log rewritten and signed by a stranger", "no known key signed", forge.rewrite_as_stranger),
    stolen("a log rewritten and signed, the root going on", "its checkpoint says", forge.fork_log),
    anchored("a cosignature", "cosignature", forge.spoil_cosignature),
    anchored("a cosignature given to another checkpoint", "cosign", forge.move_cosignature),
    anchored("a cosignature deleted", "is missing", "DELETE FROM cosignature"),
]
BEYOND = [
    Cheat(
        "all rewritten, the keys exchanged",
        (forge.rewrite_with_own_keys,),
        "no key from outside",
        SELF_CONSISTENT,
        is_stolen=True,
    ),
    Cheat(
        "all rewritten with the stolen keys",
        (forge.rewrite_with_stolen_keys,),
        "the signer remembers",
        SELF_CONSISTENT,
        VERIFIED,
        is_stolen=True,
    ),
    Cheat(
        "an older state replayed",
        (forge.replay_state,),
        "the signer remembers",
        SELF_CONSISTENT,
        VERIFIED,
        INCOMPLETE,
    ),
    Cheat(
        "an older state replayed, and signed on with the stolen keys",
        (forge.replay_state,),
        "the signer remembers",
        SELF_CONSISTENT,
        VERIFIED,
        INCOMPLETE,
        is_stolen=True,
    ),
    Cheat(
        "the root log's last checkpoint deleted",
        (f"DELETE FROM checkpoint WHERE {R} AND size = (SELECT max(size) FROM checkpoint WHERE {R})",),
        "is not stored",
        SELF_CONSISTENT,
        VERIFIED,
        INCOMPLETE,
    ),
    Cheat(
        "every seal removed, keys too",
        (forge.unseal,),
        "nothing of it is signed",
        VERIFIED,
        INCOMPLETE,
        INCOMPLETE,
    ),
    Cheat("an act made up behind the last seal", (forge.make_up,), "", SELF_CONSISTENT, VERIFIED, VERIFIED),
]
CHEATS = {each.name: each for each in [*ENTRIES, *ROWS, *SEALS, *BEYOND]}
