"""Settings of the environment: read in one place, an unknown one is an error, secrets only from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import FormatError
from ledger.settings import DEFAULT_HOST, DEFAULT_PORT, read_settings
from tests.ledger.write_path import refused


def test_without_settings_there_are_defaults() -> None:
    """Other programs' variables are none of ours."""
    settings = read_settings({"PATH": "/bin", "LEDGER_HOST": "x", "trial_ledger_port": "1"})
    assert (settings.host, settings.port, settings.passphrase_file) == (DEFAULT_HOST, DEFAULT_PORT, None)
    assert settings.passphrase() is None


def test_settings_are_read(tmp_path: Path) -> None:
    """Host, port, and the file that the passphrase stands in, without its line's end."""
    (tmp_path / "passphrase").write_text("correct horse \n", encoding="utf-8")
    settings = read_settings(
        {
            "TRIAL_LEDGER_HOST": "0.0.0.0",  # noqa: S104  a value, nothing listens
            "TRIAL_LEDGER_PORT": "0",
            "TRIAL_LEDGER_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
        }
    )
    assert (settings.host, settings.port) == ("0.0.0.0", 0)  # noqa: S104  the same
    assert settings.passphrase() == "correct horse "


@pytest.mark.parametrize("name", ["TRIAL_LEDGER_PASSPHRASE", "TRIAL_LEDGER_", "TRIAL_LEDGER_PROT"])
def test_an_unknown_setting_is_an_error_that_names_it(name: str) -> None:
    """A misspelt setting is never passed over, and its value is not repeated."""
    with pytest.raises(FormatError) as caught:
        read_settings({name: "hunter2"})
    assert (caught.value.code, caught.value.field) == ("SETTING", name)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("port", ["", "-1", "65536", "80 ", "٨٠", "1e3", "0x50", "100000"])
def test_a_port_is_a_number_up_to_65535(port: str) -> None:
    """Strictly ASCII digits."""
    with refused("SETTING", FormatError, field="TRIAL_LEDGER_PORT"):
        read_settings({"TRIAL_LEDGER_PORT": port})


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"])
def test_a_passphrase_file_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty or no text: an error, never an empty passphrase."""
    path = tmp_path / "passphrase"
    if content is not None:
        path.write_bytes(content)
    settings = read_settings({"TRIAL_LEDGER_PASSPHRASE_FILE": str(path)})
    with refused("SETTING", FormatError, field="TRIAL_LEDGER_PASSPHRASE_FILE"):
        settings.passphrase()
