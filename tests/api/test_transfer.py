"""After a transfer: which site's people prepare statements of a participant, and who reads of one."""

from __future__ import annotations

import pytest

from tests.api.client import BASE, PARTICIPANT, STREAM, VITALS, Site, bearer
from tests.ledger.transferring import THERE, open_site, transfer


def prepared(site: Site, who: str, at: str) -> int:
    """Ask for a statement to be prepared; return how that is answered."""
    action = site.action("vital_signs.recorded", STREAM, VITALS) | {"site": at}
    body = {"action": action, "open": {}}
    answer = site.http.post(f"{BASE}/statements:prepare", json=body, headers=bearer(who))
    return answer.status_code


def read(site: Site, who: str) -> int:
    """Ask for the participant's page; return how that is answered."""
    status: int = site.get(f"/participants/{PARTICIPANT}", who).status_code
    return status


def test_the_site_that_took_over_prepares_and_both_read(site: Site) -> None:
    """The site that the participant left prepares no more and keeps the page; the other one gets both."""
    open_site(site.made)
    assert (prepared(site, "coordinator", "SA-01"), prepared(site, "elsewhere", THERE)) == (200, 403)
    assert (read(site, "coordinator"), read(site, "elsewhere")) == (200, 404)  # as one whom nobody knows
    transfer(site.made)
    assert (prepared(site, "coordinator", "SA-01"), prepared(site, "elsewhere", THERE)) == (403, 200)
    assert (read(site, "coordinator"), read(site, "elsewhere")) == (200, 200)


@pytest.mark.parametrize("path", ["/participants", "/projections/enrolment"])
@pytest.mark.parametrize("who", ["coordinator", "elsewhere"])
def test_who_has_the_list_of_a_site_gets_the_new_one(own_site: Site, path: str, who: str) -> None:
    """The row that goes leaves no index behind: its going changes the tag all the same."""
    open_site(own_site.made)
    first = own_site.get(path, who)
    transfer(own_site.made)
    again = own_site.get(path, who, **{"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200
    assert again.json() != first.json()
    known = own_site.made.ledger.store.head().size - 1
    then = own_site.get(f"{path}?known={known}", who)
    assert then.headers["ETag"] == again.headers["ETag"]
