"""`webhooks`: what an administrator proposes, signs with `record`, and sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.cli.app import run
from ledger.keyfile import KeyMaterial, write_key
from tests.api.client import write_directory
from tests.ledger.small_ledger import seed

URL = "https://receiver.example/hook/secret"


class Desk:
    """An administrator's terminal."""

    def __init__(self, directory: Path, printed: pytest.CaptureFixture[str]) -> None:
        self._ledger = directory / "ledger"
        self._printed = printed
        self._key = directory / "admin.json"
        self._action = directory / "action.json"
        write_directory(self._ledger).ledger.close()
        write_key(self._key, KeyMaterial(alg="ed25519", secret=seed("admin")), None)

    def say(self, command: str, *words: str) -> tuple[int, str, str]:
        """Run one of the commands; return its exit code and what it printed."""
        code = run(["webhooks", command, str(self._ledger), *words])
        out, err = self._printed.readouterr()
        return code, out, err

    def sign(self, command: str, *words: str) -> str:
        """Have an action printed and record it; return what was told beside."""
        code, out, err = self.say(command, *words)
        assert code == 0, err
        self._action.write_text(out)
        assert run(["record", str(self._ledger), "--key", str(self._key), str(self._action)]) == 0
        self._printed.readouterr()
        return err

    def listed(self) -> dict[str, Any]:
        """Return the one endpoint as listed."""
        return dict(json.loads(self.say("list", "--json")[1]))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A ledger of the test's own."""
    return Desk(tmp_path, capsys)


def test_an_endpoint_is_proposed_signed_for_rotated_replayed_and_turned_off(desk: Desk) -> None:
    """Each change is an action that `record` takes; only then it counts."""
    wanted = ("--url", URL, "--role", "investigator", "--person", "aruiz", "--sites", "SA-01")
    told = desk.sign("propose", *wanted).split()
    name, key = told[1].rstrip(","), told[-1]
    listed = desk.listed()
    assert (listed["endpoint"], listed["state"], listed["public_keys"]) == (name, "in force", [key])
    assert (listed["host"], listed["reader"]) == ("receiver.example", "investigator aruiz SA-01")
    fresh = desk.sign("rotate", name).split()[-1]
    assert desk.listed()["public_keys"] == [fresh, key]
    desk.sign("replay", name, "3", "5")
    assert desk.say("parked", name) == (0, "", "")
    desk.sign("propose", *wanted, "--types", "visit.started", "--endpoint", name)
    assert desk.listed()["state"] == "in force"
    desk.sign("off", name)
    assert desk.listed()["state"] == "off"
    assert desk.say("off", name)[0] == 1


def test_what_cannot_be_proposed_is_said_with_its_code(desk: Desk) -> None:
    """And the URL is not repeated."""
    reads = ("--role", "investigator", "--person", "aruiz")
    for words, code in (
        (("propose", "--url", "https://10.0.0.1/secret", *reads), "WEBHOOK_URL"),
        (("propose", "--url", URL, "--role", "auditor", "--person", "aruiz"), "ROLE_NOT_HELD"),
        (("propose", "--url", URL, "--role", "device", "--person", "aruiz"), "ROLE_UNKNOWN"),
        (("rotate", "0" * 16), "WEBHOOK_UNKNOWN"),
    ):
        exit_code, out, err = desk.say(*words)
        assert (exit_code > 0, out) == (True, "")
        assert code in err
        assert "secret" not in err
