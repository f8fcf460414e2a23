"""The demonstration behind the command `serve`, with its signing pages, for who walks through them."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import orjson

from ledger.demo.report import DemoReport

COMMAND: Final = Path(sys.executable).with_name("trial-ledger")
PASSWORD: Final = "a quiet river in june"
TIMEOUT_S: Final = 60
_ADMIN: Final = "sponsor-admin"


@dataclass(slots=True, kw_only=True)
class Demonstrated:
    """The served demonstration: its directory, the study's address, the origin of its pages."""

    directory: Path
    url: str
    pages: str
    http: httpx2.Client

    def get(self, path: str, who: str, status: int = 200) -> Any:
        """Ask as a person for whom `token` made a token."""
        answer = self.http.get(self.url + path, headers={"Authorization": f"Bearer {who}"})
        assert answer.status_code == status, answer.text
        return answer.json()

    def invite(self, person: str) -> None:
        """Let a person set their password."""
        secret = run("people", "invite", self.directory, person, "--json")
        body = {"person": person, "secret": orjson.loads(secret)["secret"], "password": PASSWORD}
        answer = self.http.post(f"{self.url}/passwords:redeem", json=body)
        assert answer.status_code in (200, 201, 204), answer.text

    def endorse(self, person: str) -> None:
        """Let the administrator enrol the passkey that a person made."""
        evidence = self.directory.parent / "form.pdf"
        evidence.write_bytes(b"a signed form")
        run("enrol", self.url, "--person", person, "--evidence", evidence, *self._as_admin())

    def unlock(self, participant: str = "") -> None:
        """Let the administrator open the database again, or a participant's records: all end locked."""
        action = {
            "type": "database.unlocked", "stream": "study", "role": "sponsor_administrator",
            "meaning": "approval", "data": {"authority": "protocol board"},
            "reason": {"code": "records_reopened"}, "open": {"/reason/text": None},
        }  # fmt: skip
        if participant:
            stream = f"participant/{participant}"
            action |= {"type": "participant.unlocked", "stream": stream, "site": participant[:5]}
            action["protocol"] = self.protocol
        path = self.directory.parent / "action.json"
        path.write_bytes(orjson.dumps(action))
        run("sign", self.url, path, *self._as_admin())

    @property
    def protocol(self) -> str:
        """The version of the protocol in force at the first site."""
        return str(self.get("/signing/places", _ADMIN)["places"][0]["protocol"])

    def _as_admin(self) -> tuple[str | Path, ...]:
        place = self.directory.parent
        (place / "token").write_text(_ADMIN)
        key, policy = self.directory / "keys" / f"{_ADMIN}.json", self.directory / "policy"
        return "--key", key, "--policy", policy, "--outbox", place / "outbox", "--token-file", place / "token"


def run(*arguments: str | Path) -> str:
    """Run the command; return what it prints."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def served_demonstration(
    demo: DemoReport, directory: Path, *tokens: tuple[str, str]
) -> Iterator[Demonstrated]:
    """Serve a copy of the demonstration; `tokens` are person and role, and the person's id is the token."""
    shutil.copytree(demo.directory, directory, ignore=shutil.ignore_patterns("export"))
    port, signing = _free_ports()
    pages, api = f"http://localhost:{signing}", f"http://127.0.0.1:{port}"
    with (directory / "ledger.toml").open("a") as settings:
        for person, role in ((_ADMIN, "sponsor_administrator"), *tokens):
            sha256 = hashlib.sha256(person.encode()).hexdigest()
            settings.write(f'\n[[tokens]]\nsha256 = "{sha256}"\nrole = "{role}"\nperson = "{person}"\n')
            settings.write('sites = ["*"]\n')
        settings.write(f'\n[signing]\nrp_id = "localhost"\norigins = ["{pages}"]\n')
    command = [COMMAND, "serve", directory, "--port", str(port), "--signing-port", str(signing)]
    with ExitStack() as stack:
        errors = stack.enter_context((directory.parent / "errors").open("wb"))
        process = stack.enter_context(
            subprocess.Popen(
                [*command, "--signing-api", api], stdout=subprocess.PIPE, stderr=errors, env={**os.environ}
            )
        )
        stack.callback(process.kill)
        assert process.stdout is not None
        first = process.stdout.readline().decode()
        assert " on http" in first, first + (directory.parent / "errors").read_text()
        http = stack.enter_context(httpx2.Client(timeout=TIMEOUT_S))
        yield Demonstrated(directory=directory, url=f"{api}/v1/studies/nct06414356", pages=pages, http=http)


def _free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]
