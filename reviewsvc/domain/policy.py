"""A model's routing policy: versioned, ordered rules that say which predictions go to people."""

from msgspec import Struct

from reviewsvc.domain.document import DocumentError, DocumentFault, Fields, is_name
from reviewsvc.domain.policy_conditions import Condition, read_conditions

FAIL_SAFE = "fail-safe"
PRIORITY, MOST_REVIEWERS, LONGEST_DUE_MINUTES = 50, 9, 525_600


class Rule(Struct, frozen=True):
    """One rule. All of `when` must hold; then `share` of the cases, drawn at random, go to `queue`.

    `priority` 0 to 100, larger first. What is None is the queue's setting.
    """

    id: str
    queue: str
    when: tuple[Condition, ...] = ()
    share: float = 1.0
    description: str = ""
    priority: int | None = None
    due_in_minutes: int | None = None
    reviewers: int | None = None
    blind: bool | None = None


class Policy(Struct, frozen=True):
    """The rules of one model; all are evaluated, every match is a reason, the first decides."""

    name: str
    rules: tuple[Rule, ...]
    description: str = ""


def read_policy(data: object) -> Policy:
    """Read a policy from plain data; DocumentError with every fault, named by its path.

    Whether it fits its model's contract is `policy_fit.misfits`.
    """
    faults: list[DocumentFault] = []
    read = Fields(data, (), faults)
    read.choice("kind", ("policy",), "policy")
    policy = Policy(name=read.name("name"), rules=_rules(read), description=read.text("description", ""))
    read.finish()
    if faults:
        raise DocumentError(faults)
    return policy


def _rules(read: Fields) -> tuple[Rule, ...]:
    found: list[Rule] = []
    for place, one in enumerate(read.items("rules", "rules")):
        rule = _rule(read.below(one, "rules", place))
        if is_name(rule.id) and rule.id in {other.id for other in found}:
            read.fault("ids that differ", rule.id, "rules", place, "id")
        if rule.id == FAIL_SAFE:
            read.fault(
                f'another id: "{FAIL_SAFE}" is the switch that sends everything to people',
                rule.id,
                "rules",
                place,
                "id",
            )
        found.append(rule)
    return tuple(found)


def _rule(read: Fields) -> Rule:
    rule = Rule(
        id=read.name("id"),
        queue=read.name("queue"),
        when=read_conditions(read.inner("when", required=False)),
        share=read.number("share", 0, 1, 1.0),
        description=read.text("description", ""),
        priority=read.whole("priority", 0, 100, None),
        due_in_minutes=read.whole("due_in_minutes", 1, LONGEST_DUE_MINUTES, None),
        reviewers=read.whole("reviewers", 1, MOST_REVIEWERS, None),
        blind=read.flag("blind", None),
    )
    read.finish()
    return rule
