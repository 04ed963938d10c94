"""What the facts of every kind of entry have in common."""

from msgspec import Struct


class Facts(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What every kind's facts share: fixed order of members, no unknown ones."""
