"""One attempt of a webhook: to the address that was checked, under the name's certificate, not for long."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from ledger.delivery.addresses import PUBLIC, Reach, reach_of
from ledger.delivery.sending import Outcome, Sender
from ledger.delivery.signing import headers
from tests.api.receiving import DRIP, ENDLESS, FAIL, GONE, HANG, OK, REDIRECT, RESET, Receiver, receiving
from tests.ledger.small_ledger import seed

HOST = "receiver.example"
BODY = b'{"sequence":"1"}'
OWN = reach_of(("127.0.0.0/8",), ())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of the receiver's name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> Iterator[tuple[Receiver, ssl.SSLContext]]:
    """A receiver over TLS, and the context of a sender that trusts its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiving(context) as receiver:
        yield receiver, ssl.create_default_context(cafile=str(certificate))


def send(
    url: str,
    reach: Reach = OWN,
    *,
    attempt_s: float = 10.0,
    answers: list[str] | None = None,
    context: ssl.SSLContext | None = None,
    monkeypatch: pytest.MonkeyPatch | None = None,
) -> tuple[Outcome, list[str]]:
    """Try once; return what came of it, and the names asked for. `answers` are their addresses in turn."""
    asked: list[str] = []

    async def run() -> Outcome:
        loop = asyncio.get_running_loop()
        if answers is not None and monkeypatch is not None:

            async def found(host: str, port: int, **_: object) -> list[Any]:
                asked.append(host)
                return [(0, 0, 0, "", (answers[len(asked) - 1], port))]

            monkeypatch.setattr(loop, "getaddrinfo", found)
        sender = Sender(reach, context=context, attempt_s=attempt_s)
        outcome = await sender.send(url, headers("a-1", 1, BODY, [seed("webhook")]), BODY)
        await sender.close()
        return outcome

    return asyncio.run(run()), asked


def test_the_connection_goes_to_the_very_address_that_was_checked(
    tls: tuple[Receiver, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is asked for once, stands in `Host`, and has to be the certificate's; no proxy is used."""
    receiver, context = tls
    port = urlsplit(receiver.url).port
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    reach = reach_of(("127.0.0.0/8",), (port or 0,))
    outcome, asked = send(
        f"https://{HOST}:{port}/hook",
        reach,
        answers=["127.0.0.1", "10.0.0.1"],
        context=context,
        monkeypatch=monkeypatch,
    )
    assert (outcome, asked) == (Outcome(), [HOST])
    assert receiver.headers[0]["host"] == f"{HOST}:{port}"


def test_a_certificate_of_another_name_is_refused(
    tls: tuple[Receiver, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CERTIFICATE: whoever answers at the address has to be who the URL says."""
    receiver, context = tls
    port = urlsplit(receiver.url).port
    reach = reach_of(("127.0.0.0/8",), (port or 0,))
    url = f"https://other.example:{port}/hook"
    outcome, _ = send(url, reach, answers=["127.0.0.1"], context=context, monkeypatch=monkeypatch)
    assert outcome.trouble == "CERTIFICATE"
    assert not receiver.tried


def test_a_name_that_answers_with_an_inner_address_is_not_connected_to(
    tls: tuple[Receiver, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FORBIDDEN_ADDRESS: the address is checked at each attempt, whatever it was when it was signed for."""
    receiver, context = tls
    port = urlsplit(receiver.url).port
    reach = Reach(ports=frozenset({port or 0}))
    url = f"https://{HOST}:{port}/hook"
    outcome, _ = send(url, reach, answers=["127.0.0.1"], context=context, monkeypatch=monkeypatch)
    assert outcome.trouble == "FORBIDDEN_ADDRESS"
    assert not receiver.tried


@pytest.mark.parametrize(
    ("how", "trouble"),
    [
        (OK, ""),
        (FAIL, "STATUS_503"),
        (GONE, "GONE"),
        (REDIRECT, "REDIRECTED"),
        (RESET, "UNREACHABLE"),
        (HANG, "TIMEOUT"),
        (DRIP, "TIMEOUT"),
    ],
)
def test_each_answer_has_its_outcome(how: str, trouble: str) -> None:
    """Only a 2xx counts; who talks slowly has no more time than who says nothing."""
    with receiving() as receiver:
        receiver.behave = lambda _: how
        assert send(receiver.url, attempt_s=0.4 if trouble == "TIMEOUT" else 10.0)[0].trouble == trouble
        assert receiver.paths == ["/hook"]


def test_of_an_endless_answer_no_more_than_a_little_is_read() -> None:
    """The status says all; a receiver can't fill the sender's memory."""
    with receiving() as receiver:
        receiver.behave = lambda _: ENDLESS
        assert send(receiver.url)[0].taken
        assert receiver.written < 50_000_000


def test_nobody_there_and_nowhere_to_go() -> None:
    """UNREACHABLE, and WEBHOOK_URL for what settings no longer allow."""
    assert send("http://127.0.0.1:1/hook")[0].trouble == "UNREACHABLE"
    assert send("http://127.0.0.1:1/hook", PUBLIC)[0].trouble == "WEBHOOK_URL"
