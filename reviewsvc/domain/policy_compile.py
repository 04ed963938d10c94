"""A policy compiled against its contract and queues, so that a route costs about a microsecond."""

from collections.abc import Mapping

from reviewsvc.domain.contract_check import Checked, CompiledContract
from reviewsvc.domain.document import DocumentError
from reviewsvc.domain.events import Event
from reviewsvc.domain.policy import FAIL_SAFE, Policy, Rule
from reviewsvc.domain.policy_fit import misfits
from reviewsvc.domain.policy_predicates import Test, compile_conditions
from reviewsvc.domain.queue import Queue
from reviewsvc.domain.routing import Draw, Route, selection_probability

_MOST_KEPT = 10_000


class CompiledPolicy:
    """Rules ready to route predictions; the same prediction and draws give the same route."""

    def __init__(
        self, rules: tuple[Rule, ...], queues: Mapping[str, Queue], tests: list[Test | None]
    ) -> None:
        self.rules = rules
        self._queues = queues
        self._steps = [(1 << place, rule.id, rule.share, tests[place]) for place, rule in enumerate(rules)]
        self._routes: dict[tuple[int, int], Route] = {}

    def route(self, event: Event, checked: Checked, draw: Draw) -> Route:
        """Evaluate all rules on one prediction.

        `draw(rule id, source, prediction id)` gives a number from 0 up to 1; it is asked only for rules with
        a share below 1 whose conditions hold, and the rule takes the case if the number is below its share.
        """
        held = taken = 0
        for bit, rule, share, test in self._steps:
            if test is None or test(event, checked):
                held |= bit
                if share >= 1.0 or draw(rule, event.source, event.prediction_id) < share:
                    taken |= bit
        route = self._routes.get((held, taken))
        return route if route is not None else self._make(held, taken)

    def _make(self, held: int, taken: int) -> Route:
        candidates = [rule for place, rule in enumerate(self.rules) if held >> place & 1]
        reasons = [rule for place, rule in enumerate(self.rules) if taken >> place & 1]
        designs = tuple((rule.id, rule.share) for rule in candidates)
        probability = selection_probability(rule.share for rule in candidates)
        route = (
            self._towards(reasons, designs, probability)
            if reasons
            else Route(designs=designs, selection_probability=probability)
        )
        if len(self._routes) < _MOST_KEPT:
            self._routes[held, taken] = route
        return route

    def _towards(
        self, reasons: list[Rule], designs: tuple[tuple[str, float], ...], probability: float
    ) -> Route:
        first = reasons[0]
        queue = self._queues[first.queue]
        due_minutes = queue.due_in_minutes if first.due_in_minutes is None else first.due_in_minutes
        return Route(
            queue=first.queue,
            rule=first.id,
            reasons=tuple(rule.id for rule in reasons),
            priority=queue.priority if first.priority is None else first.priority,
            due_s=None if due_minutes is None else due_minutes * 60,
            reviewers=queue.reviewers if first.reviewers is None else first.reviewers,
            blind=queue.blind if first.blind is None else first.blind,
            designs=designs,
            selection_probability=probability,
        )


def compile_policy(
    policy: Policy, contract: CompiledContract, queues: Mapping[str, Queue], *, fail_safe: str | None = None
) -> CompiledPolicy:
    """Make a policy ready to route; DocumentError if it does not fit its contract or a queue is missing.

    With `fail_safe`, the name of a queue, every prediction goes there, whatever the rules say.
    """
    faults = misfits(policy, contract.contract, queues)
    if faults:
        raise DocumentError(faults)
    rules = policy.rules
    if fail_safe is not None:
        rules = (Rule(FAIL_SAFE, fail_safe), *rules)
    return CompiledPolicy(rules, queues, [compile_conditions(rule.when, contract) for rule in rules])
