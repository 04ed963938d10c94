from datetime import timedelta

import pytest

from reviewsvc.db import anchors as rows
from reviewsvc.domain.moments import microseconds
from reviewsvc.usecases import anchors
from tests.fixtures.installed import AT
from tests.fixtures.sealed import SealedBank

pytestmark = pytest.mark.real


def test_a_house_without_anchors_is_unanchored_since_its_first_checkpoint(signed: SealedBank) -> None:
    signed.seal()
    with signed.sessions.begin() as session:
        found = anchors.overview(session)
    assert (found.since, found.anchors) == (microseconds(AT), [])
    assert found.sealed > 0


def test_an_anchor_that_was_configured_and_never_kept_any_is_behind_from_the_first(
    signed: SealedBank,
) -> None:
    signed.seal()
    later = AT + timedelta(seconds=5)
    with signed.sessions.begin() as session:
        wanted = {"name": "folder", "kind": "folder", "place": "/mnt/far", "every_s": 60, "vkey": None}
        rows.configure(session, [wanted])
        rows.configure(session, [wanted])
        (state,) = anchors.state(session)
    assert (state.since, state.size, state.outcome) == (microseconds(AT), 0, None)
    assert not state.is_late(microseconds(later))
    assert state.is_late(microseconds(AT + timedelta(hours=1)))
