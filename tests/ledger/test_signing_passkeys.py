"""Registrations of passkeys, as a browser hands them in: what is taken, and what is not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import cbor2
import pytest
from webauthn.helpers import bytes_to_base64url

from ledger.errors import FormatError
from ledger.keys import Es256SigningKey, load_public_key
from ledger.lines import parse_base64
from ledger.signing import passkeys
from ledger.signing.settings import SigningSettings, format_signing, is_origin_of, read_signing
from tests.ledger.small_ledger import START, seed
from tests.ledger.write_path import refused

RP_ID: Final = "sign.example"
ORIGIN: Final = "https://sign.example"
SETTINGS: Final = SigningSettings(rp_id=RP_ID, origins=(ORIGIN,))
SECRET: Final = seed("service secret")
USER_PRESENT, USER_VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def challenge(person: str = "bchan", now_us: int = START) -> bytes:
    """Return a challenge for a person."""
    return passkeys.make_challenge(SECRET, person, now_us, lambda count: seed("nonce")[:count])


def registration(
    *,
    rp_id: str = RP_ID,
    origin: str = ORIGIN,
    flags: int = USER_PRESENT | USER_VERIFIED | ATTESTED,
    kind: str = "webauthn.create",
    answers: bytes | None = None,
    alg: int = -7,
) -> dict[str, Any]:
    """Make what a browser hands in, by a key that follows from a public label."""
    point = load_public_key("es256", Es256SigningKey.from_seed(seed("passkey")).spki).point
    key = cbor2.dumps({1: 2, 3: alg, -1: 1, -2: point[1:33], -3: point[33:]})
    credential = seed("credential")
    attested = bytes(16) + len(credential).to_bytes(2, "big") + credential + key
    data = hashlib.sha256(rp_id.encode()).digest() + bytes((flags,)) + bytes(4) + attested
    client = {
        "type": kind,
        "challenge": bytes_to_base64url(challenge() if answers is None else answers),
        "origin": origin,
        "crossOrigin": False,
    }
    statement = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
    return {
        "id": bytes_to_base64url(credential),
        "rawId": bytes_to_base64url(credential),
        "type": "public-key",
        "response": {
            "attestationObject": bytes_to_base64url(statement),
            "clientDataJSON": bytes_to_base64url(json.dumps(client).encode()),
        },
    }


def test_a_registration_gives_the_key_as_it_is_enrolled() -> None:
    """Grade, origins and relying party are pinned in the key itself (record-format.md §11)."""
    registered = passkeys.read_registration(registration(), SETTINGS, "bchan", challenge())
    key = registered.key
    assert (key.alg, key.grade, key.person) == ("webauthn-es256", "passkey", "bchan")
    assert (key.origins, key.rp_id, key.attestation) == ((ORIGIN,), RP_ID, None)
    spki = parse_base64(key.spki, what="the key", code="X")
    assert load_public_key("webauthn-es256", spki, origins=(ORIGIN,), rp_id=RP_ID).id == key.id
    assert registered.credential == bytes_to_base64url(seed("credential"))


@pytest.mark.parametrize(
    "changed",
    [
        {"origin": "https://elsewhere.example"},
        {"rp_id": "elsewhere.example"},
        {"flags": USER_PRESENT | ATTESTED},
        {"flags": USER_VERIFIED | ATTESTED},
        {"kind": "webauthn.get"},
        {"answers": bytes(56)},
        {"alg": -257},
    ],
)
def test_a_registration_with_a_defect_is_refused(changed: dict[str, Any]) -> None:
    """Elsewhere made, user not there or not verified, another ceremony, challenge or algorithm."""
    with refused("REGISTRATION", FormatError):
        passkeys.read_registration(registration(**changed), SETTINGS, "bchan", challenge())


@pytest.mark.parametrize(
    "broken",
    [
        lambda value: value.pop("response"),
        lambda value: value.update(response={}),
        lambda value: value.update(type="password"),
        lambda value: value["response"].update(attestationObject="AAAA"),
        lambda value: value["response"].update(clientDataJSON="!"),
        lambda value: value.update(rawId=7),
    ],
)
def test_what_is_no_registration_is_refused(broken: Callable[[dict[str, Any]], Any]) -> None:
    """One code, and nothing of the input in it."""
    value = registration()
    broken(value)
    with refused("REGISTRATION", FormatError):
        passkeys.check_challenge(SECRET, "bchan", START, passkeys.challenge_of(value))
        passkeys.read_registration(value, SETTINGS, "bchan", challenge())


def test_a_challenge_is_for_one_person_and_a_while() -> None:
    """Another's, a changed one, and one that is over are none."""
    given = challenge()
    passkeys.check_challenge(SECRET, "bchan", START + passkeys.VALID_US - 1, given)
    for person, now_us, text in (
        ("aruiz", START, given),
        ("bchan", START + passkeys.VALID_US, given),
        ("bchan", START, given[:-1] + bytes((given[-1] ^ 1,))),
        ("bchan", START, b""),
    ):
        with refused("REGISTRATION", FormatError):
            passkeys.check_challenge(SECRET, person, now_us, text)


def test_what_a_browser_is_asked_for_is_a_verified_key_of_the_pages() -> None:
    """ES256 alone, user verification required, credentials that are there not made again."""
    account = passkeys.Account(person="bchan", name="B. Chan")
    options = passkeys.creation_options(SETTINGS, account, challenge(), ["abc"])
    assert options["rp"]["id"] == RP_ID
    assert [each["alg"] for each in options["pubKeyCredParams"]] == [-7]
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["excludeCredentials"] == [{"type": "public-key", "id": "abc"}]
    assert "bchan" not in options["user"]["id"]


@pytest.mark.parametrize(
    ("origin", "rp_id", "fits"),
    [
        ("https://sign.example", "sign.example", True),
        ("https://sign.example:8443", "sign.example", True),
        ("https://a.sign.example", "sign.example", True),
        ("http://localhost:8418", "localhost", True),
        ("http://sign.example", "sign.example", False),
        ("https://badsign.example", "sign.example", False),
        ("https://sign.example/", "sign.example", False),
        ("https://sign.example:x", "sign.example", False),
        ("https://user@sign.example", "sign.example", False),
    ],
)
def test_an_origin_is_of_the_relying_party(origin: str, rp_id: str, fits: bool) -> None:
    """As browsers judge it, so that a setting that no browser would take is found at once."""
    assert is_origin_of(origin, rp_id) is fits


def test_the_table_of_signing_is_read_as_it_is_written() -> None:
    """And strictly."""
    import tomllib

    value = tomllib.loads("\n".join(format_signing(SETTINGS)))["signing"]
    assert read_signing(value) == SETTINGS
    for changed in (
        {},
        {**value, "more": 1},
        {**value, "rp_id": "Sign.example"},
        {**value, "origins": []},
        {**value, "origins": [ORIGIN, ORIGIN]},
        {**value, "origins": ["https://elsewhere.example"]},
        {**value, "origins": [7]},
    ):
        with pytest.raises(FormatError) as caught:
            read_signing(changed)
        assert caught.value.code == "CONFIG"
    assert replace(SETTINGS, rp_id="x") != SETTINGS
