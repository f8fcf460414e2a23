"""Readiness tells where a study runs otherwise than its log says, and stays (21 CFR 11.10(k))."""

from __future__ import annotations

from tests.api.client import BASE, Site
from tests.ledger.test_verify_people import SOURCE, by_root


def set_to(site: Site, value: str) -> None:
    """Record what a setting was changed to."""
    changes = [{"setting": "identity_idle_minutes", "new": value}]
    data = {"changes": changes, "reference": "CR-1", "source": SOURCE}
    by_root(site.made, "configuration.changed", "study", data)


def test_a_setting_that_is_not_as_the_log_says_is_a_warning(own_site: Site) -> None:
    """With its code and no name, at the root counted; gone with the next statement that agrees."""
    assert own_site.http.get("/readyz").json() == {"ready": True, "studies": 1}
    set_to(own_site, "30")
    for path in ("/readyz", f"{BASE}/readyz"):
        answer = own_site.http.get(path)
        assert (answer.status_code, answer.json()["warnings"]) == (200, {"CONFIGURED_OTHERWISE": 1})
        assert "idle" not in answer.text
    set_to(own_site, "15")
    assert "warnings" not in own_site.http.get("/readyz").json()
