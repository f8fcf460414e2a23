"""`[identity]` and `[oidc]` of ledger.toml: read strictly, written as they were."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from ledger.directory import CONFIG, Config, read_config, write_config
from ledger.errors import FormatError
from ledger.identity.settings import IdentitySettings, OidcSettings, read_identity, read_oidc
from tests.shared import ROOT

PLAIN = Config(origin="ledger.example/t", study="t", demonstration=False, tokens=())
OIDC: dict[str, Any] = {
    "issuer": "https://login.example",
    "audience": "trial-ledger",
    "jwks_url": "https://login.example/keys",
    "person_claim": "employee_id",
}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """Both tables, with a sub that has signs of TOML's own in it."""
    identity = IdentitySettings(idle_minutes=5, url="https://a.example/v1", alert_command=("/bin/page", "-x"))
    people = MappingProxyType({'auth0|"6601"': "bchan", "x.y": "aruiz"})
    oidc = OidcSettings(
        issuer="https://a.example", audience="a", jwks_url="https://a.example/k", people=people
    )
    for each in (oidc, replace(oidc, people=MappingProxyType({}), person_claim="id", leeway_s=0), None):
        config = replace(PLAIN, identity=identity, oidc=each)
        write_config(tmp_path, config)
        assert read_config(tmp_path) == config


def test_defaults_are_written_nowhere(tmp_path: Path) -> None:
    """A ledger without either table has the defaults."""
    write_config(tmp_path, PLAIN)
    assert "[identity]" not in (tmp_path / CONFIG).read_text()
    assert read_config(tmp_path).identity == IdentitySettings()
    assert read_config(tmp_path).oidc is None


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ({"idle": 5}, "identity.idle"),
        ({"idle_minutes": 0}, "identity.idle_minutes"),
        ({"idle_minutes": True}, "identity.idle_minutes"),
        ({"password_length": 7}, "identity.password_length"),
        ({"url": "http://ledger.example"}, "identity.url"),
        ({"alert_command": "page me"}, "identity.alert_command"),
        ({"argon2_memory_kib": 8, "argon2_lanes": 4}, "identity.argon2_memory_kib"),
    ],
)
def test_identity_says_what_is_wrong(table: dict[str, Any], field: str) -> None:
    """CONFIG, with the member."""
    with pytest.raises(FormatError, match="CONFIG") as told:
        read_identity(table)
    assert told.value.field == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"issuer": None}, "oidc.issuer"),
        ({"jwks_url": "http://login.example/keys"}, "oidc.jwks_url"),
        ({"algorithms": ["HS256"]}, "oidc.algorithms"),
        ({"algorithms": ["none"]}, "oidc.algorithms"),
        ({"leeway_s": 301}, "oidc.leeway_s"),
        ({"people": {"a": "b"}}, "oidc.person_claim"),
        ({"person_claim": ...}, "oidc.person_claim"),
        ({"secret": "x"}, "oidc.secret"),
    ],
)
def test_oidc_says_what_is_wrong(changes: dict[str, Any], field: str) -> None:
    """CONFIG, with the member: asymmetric algorithms, https, and one way to tell who somebody is."""
    table = {name: value for name, value in {**OIDC, **changes}.items() if value is not ...}
    with pytest.raises(FormatError, match="CONFIG") as told:
        read_oidc(table)
    assert told.value.field == field


def test_every_member_is_documented() -> None:
    """docs/identity.md has each of them, with the default where it is a number."""
    text = (ROOT / "docs" / "identity.md").read_text(encoding="utf-8")
    table = text.partition("## Settings")[2]
    for each in fields(IdentitySettings):
        assert f"`{each.name}`" in table
        if isinstance(each.default, int):
            assert str(each.default) in table
    assert all(each.name in text for each in fields(OidcSettings) if each.name != "leeway_s")
