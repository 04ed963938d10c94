"""Settings: names, files, faults told together, secrets kept out of sight."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc import config

pytestmark = pytest.mark.unit

SECRETS = (
    "KAFKA_SASL_PASSWORD",
    "KAFKA_SASL_CLIENT_SECRET",
    "KAFKA_SSL_PASSWORD",
    "REVIEWSVC_SECRET_KEY",
)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, _ in config.names():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


def faults(*needed: str) -> list[str]:
    """Return the lines that loading complains with."""
    with pytest.raises(config.ConfigError) as caught:
        config.load(*needed)
    return str(caught.value).splitlines()


def test_an_empty_environment_gives_the_defaults_of_the_design() -> None:
    settings = config.load()
    assert (settings.lease_minutes, settings.heartbeat_seconds, settings.undo_minutes) == (10, 60, 10)
    assert (settings.session_idle_minutes, settings.session_max_hours) == (30, 12)
    assert (settings.login_attempts, settings.login_window_minutes) == (10, 15)
    assert settings.kafka.prediction_topics == ("reviewsvc.predictions.v1",)
    assert settings == config.Settings()


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "DATABASE_URL": "mysql://a@b/c",
        "KAFKA_BOOTSTRAP_SERVERS": "a:1,,b:2",
        "KAFKA_SECURITY_PROTOCOL": "TLS",
        "KAFKA_SSL_CHECK_HOSTNAME": "perhaps",
        "REVIEWSVC_ORIGIN": "https://a b",
        "REVIEWSVC_PUBLIC_URL": "review.example.org",
        "REVIEWSVC_PORT": "eighty",
        "REVIEWSVC_LEASE_MINUTES": "0",
        "REVIEWSVC_TRUSTED_PROXIES": "10.0.0.0/99",
        "REVIEWSVC_SECRET_KEY_FILE": "/nowhere/key",
    }.items():
        monkeypatch.setenv(name, value)
    told = faults()
    assert {line.split()[0] for line in told} == {
        "DATABASE_URL",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SECURITY_PROTOCOL",
        "KAFKA_SSL_CHECK_HOSTNAME",
        "REVIEWSVC_ORIGIN",
        "REVIEWSVC_PUBLIC_URL",
        "REVIEWSVC_PORT",
        "REVIEWSVC_LEASE_MINUTES",
        "REVIEWSVC_TRUSTED_PROXIES",
        "REVIEWSVC_SECRET_KEY_FILE",
    }
    assert len(told) == 10


def test_what_a_process_needs_is_missed_by_name() -> None:
    assert faults("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "REVIEWSVC_KEK_FILE") == [
        "DATABASE_URL or DATABASE_URL_FILE must be set.",
        "REVIEWSVC_KEK_FILE must be set.",
        "KAFKA_BOOTSTRAP_SERVERS or KAFKA_BOOTSTRAP_SERVERS_FILE must be set.",
    ]


@pytest.mark.parametrize(
    "name", ["DATABASE_URL", "REVIEWSVC_SECRET_KEY", "REVIEWSVC_ORIGIN", "REVIEWSVC_PORT"]
)
def test_a_setting_may_stand_in_a_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = {"DATABASE_URL": "postgresql://a:b@c/d", "REVIEWSVC_PORT": "81"}.get(name, "a-value-that-is-long")
    (tmp_path / "secret").write_text(f"{said}\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    assert str(getattr(config.load(name), name.lower().removeprefix("reviewsvc_"))) == said


def test_a_file_that_is_no_text_is_a_fault_and_shows_none_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\xfd")
    monkeypatch.setenv("REVIEWSVC_SECRET_KEY_FILE", str(tmp_path / "key"))
    assert faults() == ["REVIEWSVC_SECRET_KEY_FILE must name a readable text file."]


def test_secrets_and_addresses_with_passwords_never_show(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, "open-sesame-and-more")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:open-sesame-and-more@h/d")
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://o:open-sesame-and-more@h/d")
    assert "open-sesame-and-more" not in repr(config.load())
    assert "open-sesame-and-more" not in str(config.load())


def test_a_wrong_database_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://u:open-sesame-and-more@h/d")
    assert "open-sesame-and-more" not in "".join(faults())


def test_a_database_address_keeps_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://u:p%40@db:5432/reviewsvc?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    monkeypatch.setenv("DATABASE_URL", url)
    assert config.load().database_url == url


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_MECHANISM must be set"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"},
            "SCRAM-SHA-512 needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "OAUTHBEARER"},
            "OAUTHBEARER needs KAFKA_SASL_TOKEN_ENDPOINT",
        ),
        ({"KAFKA_SSL_CERTFILE": "/a.pem"}, "KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE must be set together."),
        ({"REVIEWSVC_SECRET_KEY": "short"}, "REVIEWSVC_SECRET_KEY must have at least 16 characters"),
        ({"REVIEWSVC_ANCHOR_TSA_URL": "https://me:it@tsa.example"}, "REVIEWSVC_ANCHOR_TSA_URL must be like"),
        ({"REVIEWSVC_LEASE_MINUTES": "1"}, "REVIEWSVC_HEARTBEAT_SECONDS must be at most half"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    given: dict[str, str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    [line] = faults()
    assert line.startswith(told)


@given(st.lists(st.sampled_from(["10.0.0.0/8", "192.168.1.7", "fd00::/8", "::1"]), max_size=4))
def test_trusted_proxies_are_networks(networks: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REVIEWSVC_TRUSTED_PROXIES", ", ".join(networks))
        assert config.load().trusted_proxies == tuple(map(ip_network, networks))
