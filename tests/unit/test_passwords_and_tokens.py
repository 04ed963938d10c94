from hashlib import sha256
from time import process_time

import pytest

from reviewsvc.crypto.passwords import PasswordError, hash_password, needs_rehash, verify_password
from reviewsvc.crypto.tokens import new_token, token_digest

pytestmark = pytest.mark.unit


def test_a_password_fits_its_own_hash_alone() -> None:
    stored = hash_password("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert verify_password(stored, "correct horse battery")
    assert not verify_password(stored, "correct horse batterz")
    assert hash_password("correct horse battery") != stored


def test_a_password_composed_otherwise_is_the_same() -> None:
    assert verify_password(hash_password("caf\u00e9"), "cafe\u0301")


@pytest.mark.parametrize("password", ["", "x" * 1025, "half \ud800"])
def test_what_is_no_password_is_neither_kept_nor_accepted(password: str) -> None:
    with pytest.raises(PasswordError):
        hash_password(password)
    assert not verify_password(hash_password("x"), password)


def test_nobody_is_refused_at_the_cost_of_somebody() -> None:
    stored = hash_password("x")
    verify_password(None, "warm up")
    spent = []
    for each in (stored, None):
        start = process_time()
        for _ in range(3):
            assert not verify_password(each, "wrong")
        spent.append(process_time() - start)
    assert spent[1] > spent[0] / 3


def test_a_hash_that_is_none_fits_nothing() -> None:
    assert not verify_password("not a hash", "x")
    assert not verify_password(None, "nobody has this password")


def test_only_hashes_of_other_parameters_are_renewed() -> None:
    assert not needs_rehash(hash_password("x"))
    assert needs_rehash("$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWQ")


def test_a_token_is_found_by_its_digest() -> None:
    token = new_token()
    assert token.text.startswith("rsv_")
    assert token_digest(token.text) == token.digest == sha256(token.text.encode()).digest()
    assert new_token().text != token.text


@pytest.mark.parametrize("text", ["", "rsv_", "rsv_" + "a" * 42, "rsv_" + "a" * 44, "rsv_" + "é" * 43])
def test_what_cannot_be_a_token_is_not_looked_up(text: str) -> None:
    assert token_digest(text) is None
