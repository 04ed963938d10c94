"""The people of the demo: one log-in for each kind of person, made afresh at every start."""

from dataclasses import dataclass

from reviewsvc.local.log_ins import LogIn, add, renew
from reviewsvc.local.up import Service
from reviewsvc.usecases.people import LoginTakenError

WHAT_FOR = {
    "reviewer": "decides cases",
    "lead": "settles disagreements",
    "auditor": "reads all, changes nothing",
    "data": "pulls labels",
    "owner": "contracts and policies",
    "operator": "health and quarantine",
    "admin": "people and roles",
    "steward": "erases and holds subjects",
}


@dataclass(frozen=True)
class Person:
    """Somebody of the crew."""

    login: str
    name: str
    role: str


CREW = (
    Person("rosa", "Rosa Marchetti", "reviewer"),
    Person("omar", "Omar Haddad", "reviewer"),
    Person("lena", "Lena Fischer", "lead"),
    Person("ada", "Ada Novak", "auditor"),
    Person("dev", "Dev Patel", "data"),
    Person("mika", "Mika Laine", "owner"),
    Person("olga", "Olga Petrova", "operator"),
    Person("sam", "Sam Okafor", "admin"),
    Person("tess", "Tess de Vries", "steward"),
)


def log_ins(service: Service) -> list[LogIn]:
    """Add the crew and return their log-ins; where they were added before they get new passwords."""
    return [_log_in(service, each) for each in CREW]


def _log_in(service: Service, who: Person) -> LogIn:
    sessions, keyring = service.sessions, service.keyring
    try:
        return add(sessions, keyring, who.login, who.name, who.role)
    except LoginTakenError:
        return LogIn(who.login, renew(sessions, keyring, who.login), who.role, who.name)
