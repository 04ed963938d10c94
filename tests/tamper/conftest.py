"""One sealed installation for all cheats of a test process."""

from collections.abc import Callable, Iterator

import pytest

from tests.fixtures.template import Template
from tests.tamper import installation
from tests.tamper.aftermath import Aftermath, Outsider, Told
from tests.tamper.installation import Installation


@pytest.fixture(scope="session")
def sealed(
    template: Template, copy_template: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The installation; whoever cheats takes it back."""
    name = copy_template()
    folder = tmp_path_factory.mktemp("sealed")
    made = installation.make(template.process_url(name), template.owner_url(name), folder)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def outsider(sealed: Installation, tmp_path_factory: pytest.TempPathFactory) -> Outsider:
    """Somebody who knows it from before, and what it would show if nobody cheated."""
    found = Outsider(sealed)
    with sealed.cheated() as held:
        after = Aftermath(held, sealed, tmp_path_factory.mktemp("true"), is_stolen=False)
        after.go_on()
        assert found.learn(after) == Told("=", "=", "=")
    return found
