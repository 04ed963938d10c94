import os
import stat
from base64 import b64encode
from hashlib import sha256
from hmac import new as hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewsvc.crypto.envelope import NONCE_BYTES, RANDOM_BYTES, Cipher, EnvelopeError
from reviewsvc.crypto.kek import Kek, KekError, load_kek, make_kek_file
from reviewsvc.crypto.keyed import draw, keyed_hash

pytestmark = pytest.mark.unit

KEY = bytes(range(32))


def test_a_key_is_wrapped_as_rfc_3394_says() -> None:
    """Section 4.6 of RFC 3394: 256 bits of key data under a key of 256 bits."""
    data = bytes.fromhex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
    wrapped = "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21"
    assert Kek(KEY).wrap(data).wrapped.hex().upper() == wrapped
    assert Kek(KEY).unwrap(bytes.fromhex(wrapped)) == data


def test_another_kek_does_not_unwrap_and_says_what_to_give() -> None:
    with pytest.raises(KekError, match="another key-encryption key"):
        Kek(bytes(32)).unwrap(Kek(KEY).wrap(KEY).wrapped)
    assert Kek(bytes(32)).kek_id != Kek(KEY).kek_id


@pytest.mark.parametrize("text", [KEY, KEY.hex().encode() + b"\n", b64encode(KEY), b64encode(KEY) + b"\n"])
def test_a_kek_is_read_raw_in_hex_and_in_base64(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "kek"
    file.write_bytes(text)
    file.chmod(0o600)
    assert load_kek(file).kek_id == Kek(KEY).kek_id


@pytest.mark.parametrize("text", [b"", b"short", KEY + b"x" * 40, b"zz" * 32, b64encode(KEY)[:-4]])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "kek"
    file.write_bytes(text)
    file.chmod(0o600)
    with pytest.raises(KekError, match="expected 32 bytes"):
        load_kek(file)


def test_a_key_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "kek"
    file.write_bytes(KEY)
    file.chmod(0o660)
    with pytest.raises(KekError, match="chmod 600"):
        load_kek(file)
    with pytest.raises(KekError, match="cannot be read"):
        load_kek(tmp_path / "none")


def test_a_made_key_is_its_owners_alone_and_is_kept(tmp_path: Path) -> None:
    made = make_kek_file(tmp_path / "kek")
    assert stat.S_IMODE((tmp_path / "kek").stat().st_mode) == 0o600
    assert make_kek_file(tmp_path / "kek").kek_id == made.kek_id


@given(payload=st.binary(max_size=300), random=st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES))
def test_what_is_sealed_opens_and_carries_the_two_hashes(payload: bytes, random: bytes) -> None:
    sealed = Cipher(KEY).seal(payload, random)
    assert sealed.commit == sha256(random[NONCE_BYTES:] + payload).digest()
    assert sealed.sha256 == sha256(sealed.ciphertext).digest()
    assert sealed.ciphertext.startswith(random[:NONCE_BYTES])
    assert Cipher(KEY).open(sealed.ciphertext, sealed.commit) == payload


@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_changed_bit_does_not_open(place: int, bit: int) -> None:
    sealed = Cipher(KEY).seal(b"payload", bytes(RANDOM_BYTES))
    changed = bytearray(sealed.ciphertext)
    changed[place % len(changed)] ^= 1 << bit
    with pytest.raises(EnvelopeError):
        Cipher(KEY).open(bytes(changed), sealed.commit)


@pytest.mark.parametrize("length", [0, 5, NONCE_BYTES, NONCE_BYTES + 10])
def test_a_cut_ciphertext_does_not_open(length: int) -> None:
    sealed = Cipher(KEY).seal(b"payload", bytes(RANDOM_BYTES))
    with pytest.raises(EnvelopeError):
        Cipher(KEY).open(sealed.ciphertext[:length], sealed.commit)


def test_a_ciphertext_of_something_else_does_not_pass_for_the_committed() -> None:
    cipher = Cipher(KEY)
    one, other = (cipher.seal(text, os.urandom(RANDOM_BYTES)) for text in (b"approve", b"refuse"))
    with pytest.raises(EnvelopeError, match="commits to"):
        cipher.open(other.ciphertext, one.commit)


def test_a_keyed_hash_is_an_hmac_of_its_parts_joined_by_nul() -> None:
    assert keyed_hash(KEY, "id", "m", "s") == hmac(KEY, b"id\0m\0s", sha256).digest()


@given(parts=st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_a_draw_is_an_exact_fraction_of_53_bits_and_repeats(parts: list[str]) -> None:
    u = draw(KEY, *parts)
    assert 0 <= u < 1
    assert (u * 2**53).is_integer()
    assert u == draw(KEY, *parts)


def test_draws_are_spread_evenly() -> None:
    tenths = [0] * 10
    for number in range(10_000):
        tenths[int(draw(KEY, "rule", "source", str(number)) * 10)] += 1
    assert all(850 < count < 1150 for count in tenths)
