"""Where the pages begin: logging in, the questions that can be asked, and the files that pages load."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

from starlette.responses import Response

from api.answers import head_header
from api.call import Call
from api.cells import attribute, escape, plain_words
from api.operations import Operation, path
from api.pages import HTML, base_of, document
from api.prepared import PREPARED
from api.problems import ProblemError
from api.routes.questions import QUESTIONS

CACHE: Final = {"Cache-Control": "public, max-age=3600"}
START_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
)
FILES: Final = {
    "pages.css": "text/css; charset=utf-8",
    "start.js": "text/javascript; charset=utf-8",
}


def start(call: Call) -> Response:
    """Answer the page that people begin with: it logs in, says who is, and leads to every other page."""
    base = attribute(base_of(call))
    questions = "".join(
        f'<li><a href="{base}/projections/{name}.html">{escape(plain_words(name).capitalize())}</a>'
        f'<span class="aside">{escape(question)}</span></li>'
        for name, question in sorted(QUESTIONS.items())
    )
    body = _START.format(base=base, signing=_signing(call), prepared=_prepared(base), questions=questions)
    title = "Read this study"
    lead = "Every page shows records with the printed name, the time and the meaning of their signatures."
    text = document(call, title, lead, body, None).replace(
        "</head>", '<script type="module" src="/pages/start.js"></script></head>', 1
    )
    head = call.study.ledger.store.head()
    headers = {"Content-Security-Policy": START_POLICY, "Cache-Control": "no-store", **head_header(head)}
    return Response(text, headers=headers, media_type=HTML)


def _signing(call: Call) -> str:
    """Return the way to the signing pages, where the study has any; the script adds the study's address."""
    settings = call.study.config.signing
    if settings is None or not settings.origins:
        return ""
    return (
        f'<li><a id="signing" href="{attribute(settings.origins[0])}/">Record and sign</a>'
        '<span class="aside">A form for every record of your role, what waits for your signature, and your '
        "passkey, at a host of its own.</span></li>"
    )


def _prepared(base: str) -> str:
    """Return the prepared questions, person by person."""
    parts = []
    for person, asked in PREPARED.items():
        items = "".join(f'<li><a href="{base}{attribute(to)}">{escape(text)}</a></li>' for text, to in asked)
        parts.append(f"<h3>{escape(person)}</h3><ul>{items}</ul>")
    return "".join(parts)


def page_file(call: Call) -> Response:
    """Answer a style sheet or script of the pages."""
    name = call.path("file")
    if name not in FILES:
        raise ProblemError("NOT_FOUND", 404)
    return Response(_read(name), headers=CACHE, media_type=FILES[name])


@lru_cache
def _read(name: str) -> bytes:
    return (files("api") / "web" / name).read_bytes()


_START: Final = """
<p id="said" class="said" role="alert" hidden></p>
<form id="enter" class="card" data-base="{base}">
  <h2>Log in</h2>
  <label>Id <input id="person" required autocomplete="username" spellcheck="false"></label>
  <label>Password <input id="password" type="password" required autocomplete="current-password"></label>
  <label id="rolepart" hidden>Role <input id="role" spellcheck="false"></label>
  <details id="invited"><summary>I was invited, or my password was reset</summary>
    <label>One-time secret <input id="secret" autocomplete="one-time-code" spellcheck="false"></label>
    <p class="aside">The password above becomes yours then.</p>
  </details>
  <button>Log in</button>
</form>
<section id="entered" class="card" hidden>
  <h2 id="whois"></h2>
  <p id="until" class="lead"></p>
  <p><button id="leave" type="button" class="second">Log out</button></p>
</section>
<section class="card">
  <h2>Pages</h2>
  <ul class="questions">
    {signing}
    <li><a href="{base}/participants.html">Participants</a><span class="aside">Who takes part, how far, and
    what holds them?</span></li>
    <li><a href="{base}/audit-trail.html">Audit trail</a><span class="aside">Who did what, when and why,
    with old and new values?</span></li>
  </ul>
</section>
<section class="card"><h2>Prepared questions</h2>{prepared}</section>
<section class="card"><h2>Every question by its name</h2><ul class="questions">{questions}</ul></section>
"""

OPERATIONS: Final = (
    Operation(
        name="pages",
        method="GET",
        path="/pages",
        summary="The page that people begin with: logging in, and what can be asked",
        handler=start,
        media="text/html",
        answers={200: "the page"},
    ),
    Operation(
        name="page-file",
        method="GET",
        path="/pages/{file}",
        summary="A style sheet or a script of the pages",
        handler=page_file,
        parameters=(path("file", "name of the file"),),
        media="text/css",
        answers={200: "the file", 404: "no such file"},
        in_study=False,
    ),
)
