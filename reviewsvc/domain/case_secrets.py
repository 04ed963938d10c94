"""What the payload of an entry about a case holds: the producer's own words, which entries only commit to."""

import msgspec
from msgspec import Struct


class CaseSecrets(Struct, frozen=True, omit_defaults=True, gc=False):
    """The producer's ids of a prediction, and what a person wrote; None where it is gone or was not said."""

    version: str | None = None
    source: str | None = None
    prediction_id: str | None = None
    text: str | None = None
    model_text: str | None = None
    note: str | None = None


ERASED = CaseSecrets()
read_secrets = msgspec.json.Decoder(CaseSecrets).decode
write_secrets = msgspec.json.Encoder().encode
