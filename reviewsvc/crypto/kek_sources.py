"""Where the KEKs of an installation come from: a file, the environment, or a key management service."""

import importlib
from pathlib import Path
from typing import cast

from reviewsvc.crypto.kek import KekError, Keks, WrapsKeys, load_kek, parse_keks


def open_keks(*, file: str = "", text: str = "", kms: str = "") -> WrapsKeys:
    """Open the KEKs that the settings name: exactly one of a file, a text, and `MODULE:FUNCTION?ARGUMENT`.

    The function is called with the argument, a text, and returns what implements WrapsKeys. Raises KekError.
    """
    if [bool(file), bool(text), bool(kms)].count(True) != 1:
        raise KekError("set exactly one of REVIEWSVC_KEK_FILE, REVIEWSVC_KEKS and REVIEWSVC_KMS")
    if file:
        return load_kek(Path(file))
    if text:
        return Keks(lambda: parse_keks(text, "REVIEWSVC_KEKS"), lambda: None)
    place, _, argument = kms.partition("?")
    module, _, function = place.partition(":")
    try:
        opens = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as fault:
        raise KekError(f"REVIEWSVC_KMS names nothing that can be had: {fault}") from fault
    return cast("WrapsKeys", opens(argument))
