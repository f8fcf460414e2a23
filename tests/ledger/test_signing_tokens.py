"""Keys of the log, the service and documents, in a real token (SoftHSM) and in key files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from ledger.cli.app import run
from ledger.directory import open_ledger, read_config
from ledger.errors import FormatError, StoreError
from ledger.exports import export_ledger
from ledger.keyfile import KeyMaterial, write_key
from ledger.signing.holding import DOCUMENT, LOG, SERVICE, format_signers, open_signer, read_signers
from ledger.signing.pkcs11 import Pkcs11Signer, make_key_pair, parse_address
from ledger.signing.port import FileSigner, HeldKey, HeldNoteSigner
from ledger.signing.selftest import check, check_signer
from ledger.sources import SystemSources
from ledger.trust import trust_policy
from ledger.verify.options import Scope
from tests.ledger.small_ledger import DEFINITION, seed
from tests.ledger.verifying import judge
from tests.ledger.write_path import refused

MODULES: Final = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
MODULE: Final = next((path for path in MODULES if Path(path).exists()), None)
UTILITY: Final = shutil.which("softhsm2-util")
PIN: Final = "public-test-pin"
TOKEN: Final = "trial-ledger"

needs_softhsm = pytest.mark.skipif(
    MODULE is None or UTILITY is None, reason="SoftHSM (softhsm2) is not installed"
)


def address(name: str, token: str = TOKEN) -> str:
    """Return the address of an object in a token."""
    return f"pkcs11:token={token};object={name}?module-path={MODULE}"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A token of its own, and what a process needs to use it."""
    if MODULE is None or UTILITY is None:
        pytest.skip("SoftHSM (softhsm2) is not installed")
    place = tmp_path_factory.mktemp("token")
    (place / "tokens").mkdir()
    settings = f"directories.tokendir = {place / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
    (place / "softhsm2.conf").write_text(settings)
    (place / "pin").write_text(PIN + "\n")
    made = {"SOFTHSM2_CONF": str(place / "softhsm2.conf"), "TRIAL_LEDGER_PKCS11_PIN_FILE": str(place / "pin")}
    arguments = ["--init-token", "--free", "--label", TOKEN, "--so-pin", PIN, "--pin", PIN]
    subprocess.run([UTILITY, *arguments], env=made, check=True, capture_output=True, timeout=30)
    return made


@pytest.fixture
def token(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Use the token in this process; make a key in it, and return its address."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def make(name: str, alg: str) -> str:
        make_key_pair(parse_address(address(name)), PIN, alg)
        return address(name)

    return make


@pytest.mark.parametrize("alg", ["ed25519", "es256"])
def test_a_key_in_a_token_signs_what_its_public_key_checks(
    token: Callable[[str, str], str], alg: str
) -> None:
    """Real signatures out of a real token, checked by other code."""
    signer = Pkcs11Signer(parse_address(token(f"signs {alg}", alg)), PIN)
    assert signer.alg == alg
    for message in (b"", b"a document", b"x" * 100_000):
        check(alg, signer.public, message, signer.sign(message))
    signer.close()


def test_a_key_in_a_token_never_comes_out(token: Callable[[str, str], str]) -> None:
    """The private key is sensitive and not extractable: the token refuses to tell it."""
    import pkcs11

    from ledger.signing.pkcs11 import open_session

    where = parse_address(token("stays", "ed25519"))
    with open_session(where, PIN) as session:
        private = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label="stays")
        assert private[pkcs11.Attribute.SENSITIVE]
        assert not private[pkcs11.Attribute.EXTRACTABLE]
        with pytest.raises(pkcs11.PKCS11Error):
            _ = private[pkcs11.Attribute.VALUE]


def test_a_statement_and_a_head_are_signed_in_a_token(token: Callable[[str, str], str]) -> None:
    """The token's key is a key of statements, and of the log, like any other."""
    from ledger.envelope import event_hash, pae
    from ledger.keys import KeySignature, check_signature
    from ledger.note import Note, check_note

    signer = Pkcs11Signer(parse_address(token("both", "ed25519")), PIN)
    key, body = HeldKey(signer), b'{"v":1}'
    signature = KeySignature(alg=key.alg, key=key.id, sig=key.sign(pae(body)))
    check_signature(key.key, pae(body), event_hash(body), signature)
    head = HeldNoteSigner("ledger.example/token", signer)
    text = "ledger.example/token\n1\n" + "A" * 43 + "=\n"
    assert check_note(Note(text=text, signatures=(head.sign(text),)), [head.key])
    signer.close()


def test_a_token_whose_session_was_closed_is_opened_again(token: Callable[[str, str], str]) -> None:
    """A session that was lost costs no signature."""
    signer = Pkcs11Signer(parse_address(token("again", "ed25519")), PIN)
    signer._session.close()
    check("ed25519", signer.public, b"after", signer.sign(b"after"))
    signer.close()


@needs_softhsm
@pytest.mark.parametrize(
    ("where", "pin", "code"),
    [
        (address("nothing"), PIN, "SIGNER_MISSING"),
        (address("nothing", token="elsewhere"), PIN, "SIGNER_MISSING"),
        ("pkcs11:token=a;object=b?module-path=/nonexistent.so", PIN, "SIGNER_MISSING"),
    ],
)
def test_what_is_not_there_is_told(token: Callable[[str, str], str], where: str, pin: str, code: str) -> None:
    """Library, token or key that is missing: one line, before anything is signed."""
    with refused(code, StoreError):
        Pkcs11Signer(parse_address(where), pin)


def test_a_label_is_used_once(token: Callable[[str, str], str]) -> None:
    """Two keys of one label could be taken for each other."""
    token("once", "ed25519")
    with refused("SIGNER_EXISTS", StoreError):
        token("once", "ed25519")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pkcs11:token=a;object=b",
        "pkcs11:token=a?module-path=/x.so",
        "pkcs11:token=a;object=b;pin-value=1234?module-path=/x.so",
        "pkcs11:token=a;object=b;object=c?module-path=/x.so",
        "pkcs11:token=a;object=b?module-path=x.so",
        "file:log.json",
    ],
)
def test_an_address_has_token_object_and_module(text: str) -> None:
    """Strictly, and never with a PIN in it."""
    with refused("SIGNER_ADDRESS", FormatError):
        parse_address(text)


@pytest.mark.parametrize("value", [[], {"log": 1}, {"kek": address("x")}, {"log": "file:x"}])
def test_the_table_of_signers_is_read_strictly(value: object) -> None:
    """Another name or another kind of address is an error."""
    with pytest.raises(FormatError) as caught:
        read_signers(value)
    assert caught.value.code == "CONFIG"


@needs_softhsm
def test_the_table_of_signers_is_written_as_it_is_read() -> None:
    """What `init` writes is what is read at the next start."""
    import tomllib

    signers = {LOG: address("log"), DOCUMENT: address("document")}
    assert read_signers(tomllib.loads("\n".join(format_signers(signers)))["signers"]) == signers


@pytest.mark.parametrize("alg", ["ed25519", "es256", "ml-dsa-44"])
def test_a_key_file_is_a_signer_too(alg: str) -> None:
    """The other adapter: the same port, the same check."""
    signer = FileSigner(KeyMaterial(alg=alg, secret=seed("port")))
    check_signer("log", signer)
    assert "small" not in repr(signer)


class Swapped(FileSigner):
    """A signer whose public key is another's."""

    __slots__ = ()

    def sign(self, message: bytes) -> bytes:
        return FileSigner(KeyMaterial(alg=self.alg, secret=seed("another"))).sign(message)


@pytest.mark.parametrize("alg", ["ed25519", "es256", "ml-dsa-44"])
def test_a_key_that_does_not_sign_by_its_public_key_is_found(alg: str) -> None:
    """Self-test at start-up (21 CFR 11.300)."""
    with refused("SIGNER_SELF_TEST", StoreError, field="service"):
        check_signer(SERVICE, Swapped(KeyMaterial(alg=alg, secret=seed("port"))))


def test_a_key_of_the_wrong_algorithm_is_refused(tmp_path: Path) -> None:
    """The log signs heads with Ed25519, whatever lies in the file."""
    write_key(tmp_path / "log.json", KeyMaterial(alg="es256", secret=seed("port")), None)
    with refused("SIGNER_MISSING", StoreError, field="log"):
        open_signer(LOG, {}, tmp_path, None)


def test_a_ledger_lives_with_its_keys_in_a_token(
    token: Callable[[str, str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`init` with --signer: no file has these keys, and what the log and service sign is verified offline."""
    keys = [f"--signer={name}={token(f'cli {name}', 'ed25519')}" for name in (LOG, SERVICE)]
    directory, bundle = tmp_path / "ledger", tmp_path / "bundle"
    people = ["--person", "root1", "--name", "Root Holder", "--organisation", "Sponsor"]
    study = ["--study", str(DEFINITION), "--plain-keys", "--json"]
    assert run(["init", str(directory), *people, *keys, *study]) == 0
    made = json.loads(capsys.readouterr().out)
    there = sorted(path.name for path in (directory / "keys").iterdir())
    assert there == ["kek.json", "log-pq.json", "root1.json"]
    assert read_config(directory).signers.keys() == {LOG, SERVICE}
    assert run(["signers", "check", str(directory), "--json"]) == 0
    assert json.loads(capsys.readouterr().out).keys() == {LOG, SERVICE}
    ledger = open_ledger(directory, None, SystemSources())
    try:
        policy = trust_policy(ledger)
        export_ledger(ledger, bundle, scope=Scope(kind="study"), role="auditor")
    finally:
        ledger.close()
    assert policy.ledger_id == made["ledger_id"]
    assert judge(bundle, policy).exit_code == 0
    log = open_signer(LOG, read_config(directory).signers, directory, None)
    assert isinstance(log, Pkcs11Signer)
    assert HeldNoteSigner(made["origin"], log).key in policy.log_keys


def test_a_key_is_made_in_a_token_by_the_command(token: Callable[[str, str], str]) -> None:
    """`signers make`: P-256 for documents; a label that is taken is refused."""
    assert token("made before", "ed25519")
    assert run(["signers", "make", address("made here"), "--alg", "es256"]) == 0
    assert Pkcs11Signer(parse_address(address("made here")), PIN).alg == "es256"
    assert run(["signers", "make", address("made here")]) == 3
