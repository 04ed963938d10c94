"""One sealed installation for all cheats of a test process."""

from collections.abc import Callable

import pytest

from tests.fixtures.template import Template
from tests.tamper import installation
from tests.tamper.installation import Installation


@pytest.fixture(scope="session")
def sealed(
    template: Template, copy_template: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Installation:
    """The installation; whoever cheats takes it back."""
    name = copy_template()
    folder = tmp_path_factory.mktemp("sealed")
    return installation.make(template.process_url(name), template.owner_url(name), folder)
