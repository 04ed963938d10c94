"""An operator's consent to send everything again to a topic that was deleted and made again."""

from datetime import datetime

from reviewsvc.db.hot import relays
from reviewsvc.db.sessions import Sessions
from reviewsvc.domain.entries import Actor
from reviewsvc.domain.facts import TopicAccepted
from reviewsvc.usecases.activity import Said, record
from reviewsvc.usecases.keyring import Keyring


class TopicNotLostError(LookupError):
    """There is nothing to accept of this topic; the text says why."""


def accept(
    sessions: Sessions, keyring: Keyring, topic: str, topic_id: str, *, actor: Actor, at: datetime
) -> list[str]:
    """Let the relay begin anew with a topic, by its id now; return the logs whose records it is sent again.

    The relay takes it up within seconds. Raises TopicNotLostError.
    """
    with sessions.begin() as session:
        sent = relays.sent_to(Sessions.psycopg(session), topic)
        if not sent:
            raise TopicNotLostError(f"nothing was ever sent to {topic}: there is nothing to accept")
        lost = [log for log, known in sent if known != topic_id]
        if not lost:
            raise TopicNotLostError(
                f"{topic} is the topic that was sent to: accepted, its readers would get everything twice"
            )
        record(
            session,
            keyring,
            [Said("topic_accepted", TopicAccepted(topic, topic_id), about=topic)],
            actor=actor,
            at=at,
        )
    return lost
