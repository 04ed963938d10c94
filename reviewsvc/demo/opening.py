"""Opens the demo: the service, its documents, its model and its people."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reviewsvc.config import Settings
from reviewsvc.demo import crew
from reviewsvc.demo.stream import Application, applications
from reviewsvc.local.datafolder import DataFolder
from reviewsvc.local.log_ins import LogIn, system_user
from reviewsvc.local.up import Say, Service, running
from reviewsvc.usecases.apply import apply
from reviewsvc.usecases.documents import read_documents

DOCUMENTS = Path(__file__).with_name("documents")


@dataclass(frozen=True)
class Demo:
    """The running service with the model's answers that are to be sent, and who may log in."""

    service: Service
    applications: list[Application]
    log_ins: list[LogIn]

    def log_in(self, role: str, *, skip: int = 0) -> LogIn:
        """Return the log-in of somebody with this role, the first or one after that."""
        return [each for each in self.log_ins if each.role == role][skip]


@contextmanager
def opened(settings: Settings, folder: Path, *, say: Say, echo: bool = False) -> Iterator[Demo]:
    """Run the demo's service until the block ends; the model is trained while the rest starts."""
    with ThreadPoolExecutor(1) as pool:
        trained: Future[list[Application]] = pool.submit(applications)
        with running(settings, DataFolder(folder), say=say, echo=echo) as service:
            _apply_documents(service)
            say("Training the model on the first 1,000 mortgage applications …")
            yield Demo(service, trained.result(), crew.log_ins(service))


def _apply_documents(service: Service) -> None:
    documents = read_documents(DOCUMENTS)
    apply(service.sessions, service.keyring, documents, actor=system_user(), at=datetime.now(UTC))
