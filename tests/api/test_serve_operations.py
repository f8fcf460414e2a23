"""The real server in an operator's hands: restarts, sockets, TLS, proxies, slow clients, settings."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from api import serve
from api.serve import LAST_S, Door, inherited, notify
from ledger.directory import open_ledger
from ledger.errors import FormatError, StoreError
from ledger.sources import SystemSources
from ledger.submission import format_submission
from tests.api.client import BASE, write_directory
from tests.api.test_serve import COMMAND, TIMEOUT_S, measurement
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.write_path import refused


@pytest.fixture
def made(tmp_path: Path) -> SmallLedger:
    """A closed ledger in a directory of its own, with people who can sign."""
    small = write_directory(tmp_path / "ledger")
    small.ledger.close()
    return small


class Running:
    """A served directory, its standard error in a file."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, errors: Path) -> None:
        self.process = process
        self.url = url
        self._errors = errors

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def log(self) -> list[dict[str, Any]]:
        """Return the lines of its log, once it has ended."""
        return [orjson.loads(line) for line in self._errors.read_bytes().splitlines()]

    def said(self) -> list[str]:
        """Return the lines on standard error as they are, log or not, once it has ended."""
        return self._errors.read_text(encoding="utf-8").splitlines()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end; return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(TIMEOUT_S)


@contextmanager
def running(
    directory: Path, *options: str | Path, handed: socket.socket | None = None, **settings: str
) -> Iterator[Running]:
    """Serve a directory on a free port, or on a socket that is handed over as a service manager does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRIAL_LEDGER_")}
    command = [str(COMMAND), "serve", str(directory), "--port", "0", *map(str, options)]
    if handed is not None:
        fd = handed.fileno()
        script = f'exec 3<&{fd}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        command = ["bash", "-c", script, "bash", *command]
    errors = directory.parent / f"errors-{len(list(directory.parent.glob('errors-*')))}"
    with errors.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=file,
            env={**environment, **settings},
            pass_fds=() if handed is None else (handed.fileno(),),
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline().decode().strip()
        assert " on http" in first, first + errors.read_text()
        yield Running(process, first.rpartition(" ")[2], errors)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def get(port: int, path: str, **headers: str) -> http.client.HTTPResponse:
    """Ask, each time on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    connection.request("GET", path, headers={**headers, "Connection": "close"})
    return connection.getresponse()


def test_a_restart_refuses_nobody_while_the_socket_is_kept(made: SmallLedger, tmp_path: Path) -> None:
    """A client that asks without pause across a restart, on a socket that was handed over, is answered."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        kept.listen(64)
        port = kept.getsockname()[1]
        over = threading.Event()
        statuses: list[int] = []

        def ask() -> None:
            while not over.is_set():
                statuses.append(get(port, "/livez").status)

        client = threading.Thread(target=ask)
        try:
            for turn in range(2):
                with running(tmp_path / "ledger", handed=kept) as server:
                    assert server.port == port
                    if turn == 0:
                        client.start()
                    before = len(statuses)
                    while client.is_alive() and len(statuses) < before + 3:
                        over.wait(0.01)
                    if turn == 1:
                        over.set()
                        client.join()
                    assert server.end() == 0
        finally:
            over.set()
    assert set(statuses) == {200}
    assert len(statuses) >= 6


def test_who_was_let_in_before_the_end_is_still_answered(made: SmallLedger, tmp_path: Path) -> None:
    """A connection that was accepted and had not asked yet gets its answer, and is closed after it.

    The service waits a moment for it; where this machine took longer than that to ask, it is tried again.
    """
    for _ in range(5):
        with (
            running(tmp_path / "ledger") as server,
            socket.create_connection(("127.0.0.1", server.port)) as let_in,
        ):
            assert get(server.port, "/livez").status == 200  # accepted after it, so it was accepted too
            told = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            with suppress(ConnectionError):
                while True:  # until nobody else is let in
                    socket.create_connection(("127.0.0.1", server.port)).close()
            answer, in_time = b"", False
            with suppress(ConnectionError):
                let_in.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                in_time = time.monotonic() - told < LAST_S
                answer = let_in.makefile("rb").read()  # to the end: it is closed
            assert server.process.wait(TIMEOUT_S) == 0
            if answer.startswith(b"HTTP/1.1 200 "):
                return
            assert not in_time
    pytest.fail("this machine never asked in time")


def test_a_hangup_ends_it_in_order(made: SmallLedger, tmp_path: Path) -> None:
    """A terminal that is closed, or a manager that reloads: as SIGTERM, and its log is whole."""
    with running(tmp_path / "ledger") as server:
        assert get(server.port, "/livez").status == 200
        assert server.end(signal.SIGHUP) == 0
        assert [(line["event"], line["operation"]) for line in server.log()] == [("request", "livez")]


def test_two_processes_serve_one_directory(made: SmallLedger, tmp_path: Path) -> None:
    """What one records the other shows; a second start is no error."""
    directory = tmp_path / "ledger"
    with running(directory) as one, running(directory) as other:
        ledger = open_ledger(directory, None, SystemSources())
        body = format_submission(measurement(made, ledger))
        ledger.close()
        connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=TIMEOUT_S)
        connection.request("POST", f"{BASE}/statements", body, {"Content-Type": "application/json"})
        recorded = orjson.loads(connection.getresponse().read())
        connection.close()
        headers = {"Authorization": "Bearer auditor"}
        found = orjson.loads(get(other.port, f"{BASE}/events/{recorded['index']}", **headers).read())
        assert found["event"] == recorded["event"]


def test_a_proxy_is_believed_only_where_it_is_named(made: SmallLedger, tmp_path: Path) -> None:
    """Of a proxy that is named the client's address and scheme are taken, of anybody else neither."""
    said = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
    with running(tmp_path / "ledger", TRIAL_LEDGER_PROXY_HEADERS="10.0.0.0/8") as server:
        assert get(server.port, "/livez", **said).getheader("Strict-Transport-Security") is None
    with running(tmp_path / "ledger", "--proxy-headers", "127.0.0.0/8") as server:
        assert get(server.port, "/livez", **said).getheader("Strict-Transport-Security") is not None
        assert get(server.port, "/metrics", **said).status == 403
        assert get(server.port, "/metrics").status == 200


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine that signed itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain, secret = tmp_path / "tls.pem", tmp_path / "tls.key"
    chain.write_bytes(signed.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return chain, secret


def test_it_speaks_tls_with_a_certificate(
    made: SmallLedger, tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    """The address says https, and browsers are told to stay with it."""
    chain, key = certificate
    with running(tmp_path / "ledger", "--tls-certificate", chain, "--tls-key", key) as server:
        assert server.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(chain))
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=context, timeout=TIMEOUT_S)
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        assert (answer.status, answer.version) == (200, 11)
        assert answer.getheader("Strict-Transport-Security") is not None
        connection.close()


def test_a_certificate_without_its_key_is_an_error(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    """Before anything is opened: one without the other, none there, one that does not fit."""
    chain, key = certificate
    Door(certificate=chain, key=key).check()
    Door().check()
    for one, other in ((chain, None), (None, key), (tmp_path, key), (key, chain)):
        door = Door(certificate=one, key=other)
        with refused("SETTING", FormatError, field="TLS"):
            door.check()


def test_who_sends_no_head_is_cut_off(made: SmallLedger, tmp_path: Path) -> None:
    """Silent, byte by byte, or after an answer: the connection ends; who asks in time is answered."""
    script = "import sys; from api import serve; serve.HEAD_S = 0.5; from ledger.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, "serve", tmp_path / "ledger", "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().rpartition(b":")[2])
        for said in (b"", b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\nGET"):
            with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as slow:
                slow.sendall(said)
                answer = b""
                try:
                    while part := slow.recv(4_096):
                        answer += part
                except ConnectionResetError:
                    pass
                assert answer.startswith(b"HTTP/1.1 200") == said.endswith(b"GET")
        assert get(port, "/livez").status == 200
    finally:
        process.terminate()
        process.wait(TIMEOUT_S)
        process.stdout.close()


@pytest.mark.parametrize(
    ("options", "settings", "named"),
    [
        ((), {"TRIAL_LEDGER_LOG_LEVEL": "loud"}, "TRIAL_LEDGER_LOG_LEVEL"),
        ((), {"TRIAL_LEDGER_MAX_REQUESTS": "0"}, "TRIAL_LEDGER_MAX_REQUESTS"),
        ((), {"TRIAL_LEDGER_TELEMETRY": "yes"}, "TRIAL_LEDGER_TELEMETRY"),
        ((), {"TRIAL_LEDGER_PROXY_HEADERS": "*"}, "TRIAL_LEDGER_PROXY_HEADERS"),
        ((), {"TRIAL_LEDGER_METRICS_TOKEN_FILE": "none"}, "TRIAL_LEDGER_METRICS_TOKEN_FILE"),
        (("--proxy-headers", "everybody"), {}, "--proxy-headers"),
        (("--tls-key", "none"), {}, "TLS"),
    ],
)
def test_a_bad_setting_is_one_line(
    made: SmallLedger,
    tmp_path: Path,
    options: tuple[str, ...],
    settings: dict[str, str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its name, what was expected, and exit code 2; no value, no trace."""
    from ledger.cli.app import run

    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert run(["serve", str(tmp_path / "ledger"), "--port", "0", *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: SETTING at {named}: ")


def test_a_socket_meant_for_another_process_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its process id; and what named it is taken out of the environment for those who come after."""
    environment = {"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http", "PATH": "/bin"}
    assert inherited(environment) is None
    assert environment == {"PATH": "/bin"}
    assert inherited({}) is None
    for count in ("2", "x"):
        with refused("ADDRESS", StoreError):
            inherited({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})


def test_what_is_no_listening_socket_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, or a socket that does not listen, in the place of one."""
    given = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    with (tmp_path / "file").open("wb") as file, socket.socket() as idle:
        for fd in (file.fileno(), idle.fileno()):
            monkeypatch.setattr(serve, "FIRST_FD", fd)
            with refused("ADDRESS", StoreError):
                inherited(dict(given))
        os.fstat(idle.fileno())


def test_the_service_manager_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over its socket, where there is one."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert manager.recv(64) == b"READY=1"
