"""What runs is compared with what the log says: `ledger.toml` and the signing pages (21 CFR 11.10(k))."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.signing_host import digest
from ledger.configured import compare, installed_pages, pages_difference, settings_of
from ledger.directory import Config, read_config, write_config
from ledger.doctor.examine import examine
from ledger.doctor.log import Expected
from ledger.signing.settings import SigningSettings
from tests.api.client import token, write_directory
from tests.api.test_serve_operations import running
from tests.ledger.small_ledger import SmallLedger
from tests.ledger.test_verify_people import SOURCE, by_root, release


@pytest.fixture
def made(tmp_path: Path) -> SmallLedger:
    """A ledger with its directory, still open."""
    return write_directory(tmp_path / "ledger")


def set_to(made: SmallLedger, **settings: str | None) -> int:
    """Record that settings were changed; return the index."""
    changes = [
        {"setting": name} if new is None else {"new": new, "setting": name} for name, new in settings.items()
    ]
    data = {"changes": changes, "reference": "CR-1", "source": SOURCE}
    by_root(made, "configuration.changed", "study", data)
    return made.ledger.store.head().size - 1


def area_of(made: SmallLedger, directory: Path, area: str) -> Any:
    """Return a finding of `doctor`."""
    made.ledger.close()
    found = examine(directory, now_us=made.sources.now_us(), expected=Expected()).findings
    return {each.area: each for each in found}[area]


def test_a_setting_that_the_log_does_not_have_is_said(made: SmallLedger, tmp_path: Path) -> None:
    """What stands in the file against what was signed, with the index; nothing else differs."""
    index = set_to(made, identity_idle_minutes="30", demonstration="false", login_failures="5")
    config = read_config(tmp_path / "ledger")
    found = compare(config, made.ledger.store)
    assert [(each.setting, each.here, each.logged, each.index) for each in found.differences] == [
        ("identity_idle_minutes", "15", "30", index)
    ]
    assert found.named == 2
    finding = area_of(made, tmp_path / "ledger", "configured")
    assert finding.verdict == "bad"
    assert finding.text == f"identity_idle_minutes is 15, and 30 by the log (index {index})"


def test_what_is_as_the_log_says_is_good_and_the_newest_counts(made: SmallLedger, tmp_path: Path) -> None:
    """Changed twice, it is the second value that is compared; what was taken away is not set."""
    set_to(
        made, identity_idle_minutes="30", signing_rp_id="sign.example", oidc_issuer="https://login.example"
    )
    set_to(made, identity_idle_minutes="15", signing_rp_id=None, oidc_issuer=None)
    assert compare(read_config(tmp_path / "ledger"), made.ledger.store).differences == ()
    assert area_of(made, tmp_path / "ledger", "configured").verdict == "good"


def test_a_log_that_names_no_setting_is_to_be_looked_at(made: SmallLedger, tmp_path: Path) -> None:
    """There is nothing to compare with, and that is said; every setting is told with its name."""
    finding = area_of(made, tmp_path / "ledger", "configured")
    assert finding.verdict == "watch"
    assert "nothing to compare with" in finding.text
    assert finding.values["settings"]["store"] == "sqlite"


def test_a_token_that_was_added_is_a_difference_and_no_secret_is_named(
    made: SmallLedger, tmp_path: Path
) -> None:
    """Tokens are compared by one hash; a command's line is told by its hash alone."""
    directory = tmp_path / "ledger"
    config = read_config(directory)
    set_to(made, tokens=settings_of(config)["tokens"])
    assert compare(config, made.ledger.store).differences == ()
    more = replace(config, tokens=(*config.tokens, token("another", "auditor")))
    [difference] = compare(more, made.ledger.store).differences
    assert difference.setting == "tokens"
    loud = replace(config, identity=replace(config.identity, alert_command=("page", "--key", "hush")))
    assert "hush" not in str(settings_of(loud))
    assert all(len(text) <= 120 for text in settings_of(loud).values())


def signing(config: Config) -> Config:
    """Return a configuration with signing pages."""
    origins = ("https://sign.example",)
    return replace(config, signing=SigningSettings(rp_id="sign.example", origins=origins))


def test_pages_are_compared_with_the_newest_release(made: SmallLedger, tmp_path: Path) -> None:
    """Not released: to be looked at. Another hash: bad, with the index. The same: good."""
    directory = tmp_path / "ledger"
    write_config(directory, signing(read_config(directory)))
    assert installed_pages() == digest()
    assert pages_difference(made.ledger.store, digest()) is None
    by_root(made, "system.released", "study", release(made, 1))
    index = made.ledger.store.head().size - 1
    said = pages_difference(made.ledger.store, digest())
    assert said == f"the signing pages are {digest()[:16]}…, and {'a' * 16}… by the log (index {index})"
    finding = area_of(made, directory, "pages")
    assert (finding.verdict, finding.text) == ("bad", said)


def test_released_pages_are_good(made: SmallLedger, tmp_path: Path) -> None:
    """The hash that the command prints is what an administrator signs."""
    directory = tmp_path / "ledger"
    write_config(directory, signing(read_config(directory)))
    by_root(made, "system.released", "study", {**release(made, 1), "pages_sha256": digest()})
    assert area_of(made, directory, "pages").verdict == "good"


def test_serving_says_what_differs(made: SmallLedger, tmp_path: Path) -> None:
    """The command says each difference on standard error, one line each, when it begins to serve."""
    set_to(made, demonstration="true")
    by_root(made, "system.released", "study", release(made, 1))
    made.ledger.close()
    with running(tmp_path / "ledger", "--signing-port", "0") as served:
        assert served.process.stdout is not None
        assert any(line.startswith(b"Signing pages on ") for line in served.process.stdout)
        served.end()
    said = [line for line in served.said() if line.startswith("small: ")]
    toml, asking, pages = said
    assert toml.startswith("small: demonstration is false, and true by the log")
    assert asking.startswith("small: no [signing] in ledger.toml")
    assert pages.startswith("small: the signing pages are ")
