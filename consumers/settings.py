"""How to reach a Kafka cluster: what the consumers' mains hand to everything that connects."""

from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Addresses, security and group; field names are those of the settings, empty means not set."""

    bootstrap_servers: tuple[str, ...]
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    sasl_token_endpoint: str = ""
    sasl_client_id: str = ""
    sasl_client_secret: str = field(default="", repr=False)
    sasl_scope: str = ""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""
    ssl_password: str = field(default="", repr=False)
    ssl_check_hostname: bool = True
    group_id: str = "reviewsvc-capture"
    group_instance_id: str = ""
    session_timeout_ms: int = 10_000


def from_settings(kafka: object) -> KafkaSettings:
    """Take the fields of the same names from the service's settings; others keep their defaults."""
    names = [each.name for each in fields(KafkaSettings) if hasattr(kafka, each.name)]
    return KafkaSettings(**{name: getattr(kafka, name) for name in names})
