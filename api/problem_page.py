"""A problem as a page, for a person in a browser: what it is, its code, what was expected, where to go on.

Whoever asks with `Accept: text/html`, and whoever asks for an address that ends in `.html` without naming
JSON, gets the page; everybody else the problem of RFC 9457 as it is. The page says what the problem says and
no more, with the same status and headers, and runs nothing, as every page.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from api import pages
from api.cells import attribute, escape
from api.problems import MEDIA_TYPE, problem, problem_members
from ledger.errors import LedgerError

_JSON: Final = ("application/json", MEDIA_TYPE)
_SHOWN: Final = frozenset({"type", "title", "status", "code", "field"})
_HEADINGS: Final = {
    400: "This can't be asked like that",
    401: "Log in first",
    403: "This is not open to you",
    404: "This is not here",
    405: "This can't be done here",
    409: "Something came first",
    429: "Too many requests",
    503: "Not now",
}


def answered(request: Request, error: LedgerError) -> Response:
    """Write an error as who asked can read it: a page in a browser, a problem for programs."""
    response = problem(error)
    if request.method == "GET" and wants_page(request, suffix=request.url.path.endswith(".html")):
        response.body = _page(request, error).encode()
        response.headers["content-type"] = pages.HTML
        response.headers["content-length"] = str(len(response.body))
        response.headers["content-security-policy"] = pages.CONTENT_SECURITY_POLICY
    return response


def wants_page(request: Request, *, suffix: bool = False) -> bool:
    """Tell whether a page is wanted: `Accept` names it before JSON, or the address does (RFC 9110 §12.5)."""
    wished = _wishes(request.headers.get("accept", ""))
    page, json = wished.get("text/html", 0.0), max(wished.get(each, 0.0) for each in _JSON)
    return page > json or (suffix and json == 0.0)


def _wishes(accept: str) -> dict[str, float]:
    """Return how much each media type that is named whole is wished for; what is malformed counts as 1."""
    wished = {}
    for each in accept.split(","):
        name, _, rest = each.partition(";")
        given = rest.replace(" ", "").removeprefix("q=")
        try:
            wished[name.strip().lower()] = float(given) if given else 1.0
        except ValueError:
            wished[name.strip().lower()] = 1.0
    return wished


def _page(request: Request, error: LedgerError) -> str:
    members = problem_members(error)
    study = _study(request)
    base = f"/v1/studies/{quote(study)}" if study is not None else ""
    title = str(members["title"])
    lead = f"{title[:1].upper()}{title[1:]}."
    facts = {"code": members["code"], "status": members["status"]}
    if "field" in members:
        facts["concerns"] = members["field"]
    rest = {name: value for name, value in members.items() if name not in _SHOWN}
    body = pages.fragment(base, facts, 2) + (pages.fragment(base, rest, 2) if rest else "")
    ways = _ways(base, int(members["status"]))
    return pages.shell(
        _HEADINGS.get(int(members["status"]), "This did not work"),
        lead,
        f'{body}<ul class="ways">{ways}</ul>',
        [(f"{base}/pages", "Start")] if base else [("/", "Start")],
        study=study,
    )


def _study(request: Request) -> str | None:
    """Return the study that an address is of, if it is served here."""
    named = request.url.path.removeprefix("/v1/studies/").partition("/")[0]
    served = request.app.state.studies.get(named)
    return served.config.study if served is not None else None


def _ways(base: str, status: int) -> str:
    """Return where somebody may want to go on to."""
    links = []
    if base:
        login = {401: "Log in", 403: "Log in as somebody else, or in another role"}
        links.append((f"{base}/pages", login.get(status, "Start page of this study")))
    links.append(("/docs", "What can be asked, for programs"))
    return "".join(f'<li><a href="{attribute(to)}">{escape(label)}</a></li>' for to, label in links)
