"""Settings: read once from the environment by the processes' mains, passed on as arguments."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

from environs import EnvValidationError, FileAwareEnv, ValidationError

SECURITY_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS: Final = ("", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")
SECOND_PERSON: Final = ("erase", "export", "hold", "release", "restore")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

DATA_DIR: Final = Path(".reviewsvc")
_KEK: Final = "REVIEWSVC_KEK_FILE"
_SHORTEST_SECRET: Final = 16
UNFIT: Final = {"int": "must be a whole number.", "bool": "must be true or false."}

Network = IPv4Network | IPv6Network


class ConfigError(Exception):
    """Some settings are missing or wrong; the text lists all of them, one a line."""


def _whole(low: int, high: int) -> Callable[[int], None]:
    def check(value: int) -> None:
        if not low <= value <= high:
            raise ValidationError(f"must be a whole number from {low} to {high}, not {value}.")

    return check


def _one_of(allowed: Sequence[str]) -> Callable[[str], None]:
    def check(value: str) -> None:
        if value not in allowed:
            raise ValidationError(f"must be one of {', '.join(filter(None, allowed))}.")

    return check


def _origin(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*", value):
        raise ValidationError("must be a name like audit.example.org, without spaces, '+' or a scheme.")


def _web_address(value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        raise ValidationError("must be like https://review.example.org, without a path.")


def _bucket(value: str) -> None:
    if value and (urlsplit(value).scheme != "s3" or not urlsplit(value).netloc):
        raise ValidationError("must be like s3://BUCKET/PREFIX.")


def _http(value: str) -> None:
    parts = urlsplit(value)
    # It stands on pages and in logs, so that it must hold no password.
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc):
        raise ValidationError("must be like https://tsa.example.org/tsr, without a user.")


def _host_and_port(value: str) -> None:
    if value and not re.fullmatch(r"(\[[0-9A-Fa-f:]+\]|[^\s:\[\]]+):[0-9]{1,5}", value):
        raise ValidationError("must be like siem.example.org:6514.")


def _postgres(value: str) -> None:
    if value and urlsplit(value).scheme not in {"postgresql", "postgres"}:
        raise ValidationError("must be like postgresql://USER:PASSWORD@HOST:5432/DATABASE.")


def _names(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",")) if text else ()
    if not all(parts):
        raise ValidationError("must be names separated by commas.")
    return parts


def _networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ValidationError(
            "must be addresses or networks like 10.0.0.0/8, separated by commas."
        ) from error


def _long(value: str) -> None:
    if value and len(value) < _SHORTEST_SECRET:
        raise ValidationError(f"must have at least {_SHORTEST_SECRET} characters: openssl rand -hex 32.")


def _setting(name: str, default: Any, check: Callable[[Any], None] | None = None, **extra: Any) -> Any:  # noqa: ANN401 - any setting's type
    metadata = {"name": name, "check": check, "kind": extra.get("kind", type(default).__name__)}
    return field(default=default, repr=not extra.get("secret", False), metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kafka:
    """Where the broker is, how to log in to it, and the topics."""

    bootstrap_servers: tuple[str, ...] = _setting("KAFKA_BOOTSTRAP_SERVERS", (), kind="names")
    security_protocol: str = _setting("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT", _one_of(SECURITY_PROTOCOLS))
    sasl_mechanism: str = _setting("KAFKA_SASL_MECHANISM", "", _one_of(SASL_MECHANISMS))
    sasl_username: str = _setting("KAFKA_SASL_USERNAME", "")
    sasl_password: str = _setting("KAFKA_SASL_PASSWORD", "", secret=True)
    sasl_token_endpoint: str = _setting("KAFKA_SASL_TOKEN_ENDPOINT", "")
    sasl_client_id: str = _setting("KAFKA_SASL_CLIENT_ID", "")
    sasl_client_secret: str = _setting("KAFKA_SASL_CLIENT_SECRET", "", secret=True)
    sasl_scope: str = _setting("KAFKA_SASL_SCOPE", "")
    ssl_cafile: str = _setting("KAFKA_SSL_CAFILE", "")
    ssl_certfile: str = _setting("KAFKA_SSL_CERTFILE", "")
    ssl_keyfile: str = _setting("KAFKA_SSL_KEYFILE", "")
    ssl_password: str = _setting("KAFKA_SSL_PASSWORD", "", secret=True)
    ssl_check_hostname: bool = _setting("KAFKA_SSL_CHECK_HOSTNAME", True)  # noqa: FBT003 - a default
    group_id: str = _setting("REVIEWSVC_KAFKA_GROUP", "reviewsvc-capture")
    prediction_topics: tuple[str, ...] = _setting(
        "REVIEWSVC_PREDICTION_TOPICS", ("reviewsvc.predictions.v1",), kind="names"
    )
    outcome_topics: tuple[str, ...] = _setting(
        "REVIEWSVC_OUTCOME_TOPICS", ("reviewsvc.outcomes.v1",), kind="names"
    )
    labels_topic: str = _setting("REVIEWSVC_LABELS_TOPIC", "reviewsvc.labels.v1")
    decisions_topic: str = _setting("REVIEWSVC_DECISIONS_TOPIC", "reviewsvc.decisions.v1")
    checkpoints_topic: str = _setting("REVIEWSVC_CHECKPOINTS_TOPIC", "reviewsvc.checkpoints.v1")
    topic_partitions: int = _setting("REVIEWSVC_TOPIC_PARTITIONS", 3, _whole(1, 1000))
    topic_replication: int = _setting("REVIEWSVC_TOPIC_REPLICATION", 1, _whole(1, 9))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything a process may be told from outside; secrets never show in its `repr`."""

    kafka: Kafka = field(default_factory=Kafka)
    database_url: str = _setting("DATABASE_URL", "", _postgres, secret=True)
    database_owner_url: str = _setting("DATABASE_OWNER_URL", "", _postgres, secret=True)
    database_pool: int = _setting("REVIEWSVC_DATABASE_POOL", 10, _whole(1, 200))
    origin: str = _setting("REVIEWSVC_ORIGIN", "reviewsvc.local", _origin)
    kek_file: str = _setting("REVIEWSVC_KEK_FILE", "")
    keks: str = _setting("REVIEWSVC_KEKS", "", secret=True)
    kms: str = _setting("REVIEWSVC_KMS", "")
    signing_key_file: str = _setting("REVIEWSVC_SIGNING_KEY_FILE", "")
    signer_state_file: str = _setting("REVIEWSVC_SIGNER_STATE_FILE", "")
    signer_socket: str = _setting("REVIEWSVC_SIGNER_SOCKET", "")
    verifier_keys_file: str = _setting("REVIEWSVC_VERIFIER_KEYS_FILE", "")
    erasure_journal: str = _setting("REVIEWSVC_ERASURE_JOURNAL", "")
    witness_key_file: str = _setting("REVIEWSVC_WITNESS_KEY_FILE", "")
    witness_state_file: str = _setting("REVIEWSVC_WITNESS_STATE_FILE", "")
    witness_logs_file: str = _setting("REVIEWSVC_WITNESS_LOGS_FILE", "")
    anchor_seconds: int = _setting("REVIEWSVC_ANCHOR_SECONDS", 60, _whole(1, 86400))
    witness_policy_file: str = _setting("REVIEWSVC_WITNESS_POLICY_FILE", "")
    anchor_bucket: str = _setting("REVIEWSVC_ANCHOR_BUCKET", "", _bucket)
    anchor_bucket_days: int = _setting("REVIEWSVC_ANCHOR_BUCKET_DAYS", 365, _whole(0, 36500))
    anchor_tsa_url: str = _setting("REVIEWSVC_ANCHOR_TSA_URL", "", _http)
    anchor_tsa_ca_file: str = _setting("REVIEWSVC_ANCHOR_TSA_CA_FILE", "")
    anchor_folder: str = _setting("REVIEWSVC_ANCHOR_FOLDER", "")
    anchor_mail_to: str = _setting("REVIEWSVC_ANCHOR_MAIL_TO", "")
    anchor_mail_from: str = _setting("REVIEWSVC_ANCHOR_MAIL_FROM", "")
    anchor_mail_minutes: int = _setting("REVIEWSVC_ANCHOR_MAIL_MINUTES", 60, _whole(1, 43200))
    smtp_url: str = _setting("REVIEWSVC_SMTP_URL", "", secret=True)
    siem_file: str = _setting("REVIEWSVC_SIEM_FILE", "")
    siem_syslog: str = _setting("REVIEWSVC_SIEM_SYSLOG", "", _host_and_port)
    siem_cafile: str = _setting("REVIEWSVC_SIEM_CAFILE", "")
    siem_certfile: str = _setting("REVIEWSVC_SIEM_CERTFILE", "")
    siem_keyfile: str = _setting("REVIEWSVC_SIEM_KEYFILE", "")
    second_person: tuple[str, ...] = _setting("REVIEWSVC_SECOND_PERSON", (), kind="names")
    backup_days: int = _setting("REVIEWSVC_BACKUP_DAYS", 35, _whole(0, 3650))
    secret_key: str = _setting("REVIEWSVC_SECRET_KEY", "", _long, secret=True)
    data_dir: Path = _setting("REVIEWSVC_DATA_DIR", DATA_DIR, kind="path")  # noqa: RUF009 - a Path never changes
    export_dir: str = _setting("REVIEWSVC_EXPORT_DIR", "")
    export_days: int = _setting("REVIEWSVC_EXPORT_DAYS", 7, _whole(1, 365))
    export_processes: int = _setting("REVIEWSVC_EXPORT_PROCESSES", 2, _whole(1, 64))
    log_level: str = _setting("REVIEWSVC_LOG_LEVEL", "info", _one_of(LOG_LEVELS))
    bind: str = _setting("REVIEWSVC_BIND", "127.0.0.1")
    port: int = _setting("REVIEWSVC_PORT", 8080, _whole(0, 65535))
    health_port: int = _setting("REVIEWSVC_HEALTH_PORT", 0, _whole(0, 65535))
    public_url: str = _setting("REVIEWSVC_PUBLIC_URL", "http://127.0.0.1:8080", _web_address)
    logs_open: bool = _setting("REVIEWSVC_LOGS_OPEN", False)  # noqa: FBT003 - a default
    trusted_proxies: tuple[Network, ...] = _setting("REVIEWSVC_TRUSTED_PROXIES", (), kind="networks")
    web_workers: int = _setting("REVIEWSVC_WEB_WORKERS", 2, _whole(1, 64))
    web_threads: int = _setting("REVIEWSVC_WEB_THREADS", 16, _whole(1, 256))
    activity_shards: int = _setting("REVIEWSVC_ACTIVITY_SHARDS", 4, _whole(1, 256))
    lease_minutes: int = _setting("REVIEWSVC_LEASE_MINUTES", 10, _whole(1, 1440))
    heartbeat_seconds: int = _setting("REVIEWSVC_HEARTBEAT_SECONDS", 60, _whole(5, 3600))
    undo_minutes: int = _setting("REVIEWSVC_UNDO_MINUTES", 10, _whole(0, 1440))
    session_idle_minutes: int = _setting("REVIEWSVC_SESSION_IDLE_MINUTES", 30, _whole(1, 1440))
    session_max_hours: int = _setting("REVIEWSVC_SESSION_MAX_HOURS", 12, _whole(1, 168))
    login_attempts: int = _setting("REVIEWSVC_LOGIN_ATTEMPTS", 10, _whole(1, 1000))
    login_window_minutes: int = _setting("REVIEWSVC_LOGIN_WINDOW_MINUTES", 15, _whole(1, 1440))
    receipt_attempts: int = _setting("REVIEWSVC_RECEIPT_ATTEMPTS", 60, _whole(1, 100_000))


def erasure_journal(settings: Settings) -> Path:
    """Return the file of the erasure journal: the one that is set, else one in the data folder."""
    return Path(settings.erasure_journal or settings.data_dir / "erasures.jsonl")


def export_folder(settings: Settings) -> Path:
    """Return where finished bundles are kept: the folder that is set, else one in the data folder."""
    return Path(settings.export_dir or settings.data_dir / "exports")


def names() -> Iterator[tuple[str, object]]:
    """Yield each setting's environment name with its default, for the documentation's check."""
    for group in (Settings, Kafka):
        for each in fields(group):
            if each.metadata:
                yield each.metadata["name"], each.default


def load(*needed: str) -> Settings:
    """Read the settings; each may also be given as NAME_FILE, a file whose content is the value.

    `needed` are environment names that this process cannot do without.
    Raises ConfigError listing every fault at once.
    """
    env = FileAwareEnv(eager=False, strip_whitespace=True)
    env.add_parser("names", _names)
    env.add_parser("networks", _networks)
    faults: list[str] = []
    kafka = _read(env, Kafka, faults)
    settings = _read(env, Settings, faults)
    try:
        env.seal()
    except EnvValidationError as error:
        told = cast("Mapping[str, list[str]]", error.error_messages)
        faults += [f"{name} {' '.join(texts)}" for name, texts in told.items()]
    if not faults:
        found = Settings(kafka=Kafka(**kafka), **settings)
        faults += [f"{name} must be set." for name in _missing(found, needed)]
        faults += _contradictions(found)
    if faults:
        raise ConfigError("\n".join(faults))
    return found


def _read(env: FileAwareEnv, group: type[Kafka | Settings], faults: list[str]) -> dict[str, Any]:
    values = {}
    for each in fields(group):
        if each.metadata:
            try:
                values[each.name] = _value(env, each)
            except ValueError:
                faults.append(f"{each.metadata['name']}_FILE must name a readable text file.")
    return values


def _value(env: FileAwareEnv, each: Field[Any]) -> object:
    name, kind, check = (each.metadata[key] for key in ("name", "kind", "check"))
    default: Any = each.default
    if kind in {"names", "networks"}:
        return getattr(env, kind)(name, ",".join(default))
    unfit = {"invalid": UNFIT.get(kind, "is not understood.")}
    return getattr(env, kind)(name, default, validate=check, error_messages=unfit)


def _missing(settings: Settings, needed: Sequence[str]) -> Iterator[str]:
    for group in (settings, settings.kafka):
        for each in fields(group):
            if each.metadata.get("name") in needed and not getattr(group, each.name):
                name = each.metadata["name"]
                if name == _KEK and (settings.keks or settings.kms):
                    continue
                yield name if name.endswith("_FILE") else f"{name} or {name}_FILE"


def _contradictions(settings: Settings) -> Iterator[str]:
    kafka = settings.kafka
    if kafka.security_protocol.startswith("SASL_"):
        yield from _sasl_faults(kafka)
    if bool(kafka.ssl_certfile) != bool(kafka.ssl_keyfile):
        yield "KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE must be set together."
    if settings.anchor_tsa_url and not settings.anchor_tsa_ca_file:
        yield "REVIEWSVC_ANCHOR_TSA_URL needs REVIEWSVC_ANCHOR_TSA_CA_FILE, by which its answers are judged."
    if settings.anchor_mail_to and not (settings.anchor_mail_from and settings.smtp_url):
        yield "REVIEWSVC_ANCHOR_MAIL_TO needs REVIEWSVC_ANCHOR_MAIL_FROM and REVIEWSVC_SMTP_URL."
    if not set(settings.second_person) <= set(SECOND_PERSON):
        yield f"REVIEWSVC_SECOND_PERSON must be some of {', '.join(SECOND_PERSON)}, separated by commas."
    if settings.heartbeat_seconds * 2 > settings.lease_minutes * 60:
        yield "REVIEWSVC_HEARTBEAT_SECONDS must be at most half of REVIEWSVC_LEASE_MINUTES."


def _sasl_faults(kafka: Kafka) -> Iterator[str]:
    if not kafka.sasl_mechanism:
        yield f"KAFKA_SASL_MECHANISM must be set with KAFKA_SECURITY_PROTOCOL={kafka.security_protocol}."
    elif kafka.sasl_mechanism == "OAUTHBEARER":
        if not (kafka.sasl_token_endpoint and kafka.sasl_client_id and kafka.sasl_client_secret):
            yield "OAUTHBEARER needs KAFKA_SASL_TOKEN_ENDPOINT, _CLIENT_ID and _CLIENT_SECRET."
    elif not (kafka.sasl_username and kafka.sasl_password):
        yield f"{kafka.sasl_mechanism} needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD."
