pytest_plugins = (
    "tests.fixtures.services",
    "tests.fixtures.database",
    "tests.fixtures.broker",
    "tests.fixtures.browser",
    "tests.fixtures.capturing",
    "tests.fixtures.installed",
    "tests.fixtures.house",
    "tests.fixtures.cases",
    "tests.fixtures.erasing",
    "tests.fixtures.sealed",
    "tests.fixtures.service",
    "tests.fixtures.tls",
)
