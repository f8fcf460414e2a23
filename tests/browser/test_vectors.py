"""The format's vectors against the page's own functions: canonical JSON, heads, keys and signatures."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from playwright.sync_api import Browser, Page

from ledger.browser import JUDGE, javascript
from ledger.envelope import event_hash, pae
from ledger.keys import P256_ORDER, Es256SigningKey, SigningKey, signing_key
from ledger.webauthn import challenge_of
from tests.ledger.test_keys import SMALL_ORDER_POINTS
from tests.shared import VECTORS

FORMAT: dict[str, Any] = json.loads((VECTORS / "record-format.json").read_text(encoding="utf-8"))
BODY = b'{"v":1}'
ORIGIN, RP_ID = "https://sign.example", "sign.example"


@pytest.fixture
def page(browser: Browser, nowhere: Path) -> Iterator[Page]:
    """A page with the functions of verify.html, without its markup."""
    opened = browser.new_page()
    opened.goto(nowhere.as_uri())
    opened.add_script_tag(content=javascript(JUDGE))
    yield opened
    opened.close()


CODE_OF = """async (call) => {
  try { await call(); return "taken"; } catch (error) { return refusal(error).code; }
}"""


def test_canonical_json(page: Page) -> None:
    """What is canonical is taken, and every text of the vectors that is not is refused."""
    run = f"(text) => ({CODE_OF})(() => decodeCanonical(utf8(text), {{ code: 'CANONICAL' }}))"
    for text in FORMAT["canonical"].values():
        assert page.evaluate(run, text) == "taken"
    for name, text in FORMAT["not_canonical"].items():
        if "\ud800" not in text:
            assert page.evaluate(run, text) == "CANONICAL", name


def test_event_hashes_and_statements(page: Page) -> None:
    """Every statement of the vectors has its event hash."""
    for event in FORMAT["events"]:
        body = event["statement"].encode()
        given = base64.b64encode(pae(body)).decode()
        run = "async (pae) => hex(await sha256(fromBase64(pae, 'X', 'x')))"
        assert page.evaluate(run, given) == event_hash(body)


def test_heads_and_the_published_checkpoint(page: Page) -> None:
    """Heads hold under the log's key, and the published checkpoint under both; another root does not."""
    run = """async ([note, vkeys]) => {
      const keys = await Promise.all(vkeys.map(parseVkey));
      return (await checkedLines(parseNote(utf8(note)), keys, "LOG_SIGNATURE")).map(([, holds]) => holds);
    }"""
    for tree in FORMAT["trees"]:
        assert page.evaluate(run, [tree["head"], FORMAT["log_vkeys"]]) == [True]
    note = FORMAT["published_checkpoint"]
    assert page.evaluate(run, [note, FORMAT["log_vkeys"]]) in ([True, True], [True, None])
    first, rest = note.split("\n9\n")
    refused = f"([note, vkeys]) => ({CODE_OF})(() => ({run})([note, vkeys]))"
    assert page.evaluate(refused, [f"{first}\n8\n{rest}", FORMAT["log_vkeys"]]) == "LOG_SIGNATURE"


def key_object(key: SigningKey, **more: Any) -> dict[str, Any]:
    """Return KEY of record-format.md §11."""
    spki = base64.b64encode(key.spki).decode()
    return {"alg": key.alg, "grade": "client", "id": key.id, "person": "p", "spki": spki, **more}


CHECK = f"""([key, pae, event, sig]) => ({CODE_OF})(async () => {{
  const holds = await checkSignature(await loadKey(key), fromBase64(pae, "X", "x"), event, sig);
  if (holds === null) throw new Refusal("NOT_HERE", "");
}})"""


def checked(page: Page, key: dict[str, Any], signature: bytes, **more: str) -> str:
    """Check one signature over the body in the browser."""
    sig = {"alg": key["alg"], "key": key["id"], "sig": base64.b64encode(signature).decode(), **more}
    code: str = page.evaluate(CHECK, [key, base64.b64encode(pae(BODY)).decode(), event_hash(BODY), sig])
    return code


@pytest.mark.parametrize("alg", ["ed25519", "es256", "ml-dsa-65"])
def test_signatures_of_software(page: Page, alg: str) -> None:
    """A signature holds over its statement, and over no other bytes; ML-DSA where the browser has it."""
    key = signing_key(alg, hashlib.sha256(b"browser " + alg.encode()).digest())
    good = checked(page, key_object(key), key.sign(pae(BODY)))
    assert good == "taken" or (alg == "ml-dsa-65" and good == "NOT_HERE")
    if good == "taken":
        assert checked(page, key_object(key), key.sign(pae(b'{"v":2}'))) == "SIGNATURE"


def test_signature_with_the_other_s(page: Page) -> None:
    """The second signature that anybody can make of an ECDSA signature is refused."""
    key = Es256SigningKey.from_seed(hashlib.sha256(b"browser es256").digest())
    good = key.sign(pae(BODY))
    other = good[:32] + (P256_ORDER - int.from_bytes(good[32:], "big")).to_bytes(32, "big")
    assert checked(page, key_object(key), other) == "SIGNATURE"


def test_keys_of_small_order(page: Page) -> None:
    """A key under which one signature fits every message is refused."""
    header = bytes.fromhex("302a300506032b6570032100")
    for point in SMALL_ORDER_POINTS:
        spki = header + bytes.fromhex(point)
        key = {
            "alg": "ed25519",
            "grade": "client",
            "id": "sha256:" + hashlib.sha256(spki).hexdigest(),
            "person": "p",
            "spki": base64.b64encode(spki).decode(),
        }
        assert checked(page, key, bytes(64)) == "WEAK_KEY"


def assertion(**client: Any) -> tuple[dict[str, Any], bytes, dict[str, str]]:
    """Make a passkey's assertion over the body; `client` changes what it says."""
    secret = Es256SigningKey.from_seed(hashlib.sha256(b"browser passkey").digest())
    said = {
        "type": "webauthn.get",
        "challenge": challenge_of(event_hash(BODY)),
        "origin": ORIGIN,
        "crossOrigin": False,
        **client,
    }
    cd = json.dumps(said).encode()
    ad = hashlib.sha256(RP_ID.encode()).digest() + bytes([0x05]) + bytes(4)
    raw = secret.sign(ad + hashlib.sha256(cd).digest())
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = {**key_object(secret), "alg": "webauthn-es256", "origins": [ORIGIN], "rp_id": RP_ID}
    return key, der, {"ad": base64.b64encode(ad).decode(), "cd": base64.b64encode(cd).decode()}


def test_passkey(page: Page) -> None:
    """An assertion over the event holds; for another event, place, kind or frame it does not."""
    key, der, documents = assertion()
    assert checked(page, key, der, **documents) == "taken"
    assert checked(page, {**key, "rp_id": "else.example"}, der, **documents) == "SIGNATURE"
    for wrong in (
        {"challenge": challenge_of(event_hash(b"{}"))},
        {"origin": "https://else.example"},
        {"type": "webauthn.create"},
        {"crossOrigin": True},
        {"topOrigin": "https://else.example"},
    ):
        key, der, documents = assertion(**wrong)
        assert checked(page, key, der, **documents) == "SIGNATURE"
