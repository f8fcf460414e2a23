"""Windows of their own at the signing pages: another that sends, no scripts, no passkeys, little room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.api.signing import Served, browser_page, served_study
from tests.api.test_passkey import HAND_OVER, endorse
from tests.api.test_passkey_mishaps import ASKED, enter
from tests.api.test_signing_outcomes import sign

NARROW: Final = (320, 700)
AUTHENTICATOR: Final = """() => {
  navigator.credentials.get = () => new Promise((_, no) => { window.refuse = no; });
}"""
MESSAGE: Final = """([origin, message]) => {
  window.dispatchEvent(new MessageEvent("message", { origin, source: window.opener, data: message }));
}"""

PART: Final = """(shown) => {
  for (const name of ["enter", "desk", "review", "done"]) {
    document.getElementById(name).hidden = name !== shown;
  }
  for (const each of document.querySelectorAll(`#${shown} :is(p, span, dt, dd, li)`)) each.append("x");
}"""
CONTRASTS: Final = """() => {
  const bytes = (color) => color.match(/[\\d.]+/g).map(Number);
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const [r, g, b, a = 1] = bytes(getComputedStyle(each).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const light = (rgb) => {
    const parts = rgb.slice(0, 3).map((each) => each / 255);
    const [r, g, b] = parts.map((each) => (each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const written = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility()
    && ([...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim())
      || ["INPUT", "SELECT", "TEXTAREA"].includes(each.tagName)));
  return written.flatMap((each) => {
    const [one, two] = [light(bytes(getComputedStyle(each).color)), light(behind(each))];
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    return ratio < 4.5 ? [`${each.tagName} ${each.className} ${each.id} ${ratio.toFixed(2)}`] : [];
  });
}"""
"""Texts whose contrast with what is behind them is below 4.5."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A served study with signing pages, each test's own: a passkey of another browser waits in none."""
    with served_study(tmp_path / "ledger") as served:
        yield served


def test_what_is_sent_while_somebody_signs_does_not_take_its_place(served: Served) -> None:
    """What is shown while the passkey asks is what is signed: another record is not put there."""
    address = f"{served.pages}/#{served.url}"
    with browser_page() as page:
        enter(page, served)
        page.click("#make")
        page.wait_for_selector("text=not enrolled yet")
        endorse(served)
        page.goto(served.url + "/livez")
        with page.context.expect_page() as opened:
            page.evaluate(HAND_OVER, [address, served.pages, {"token": "coordinator"}])
        pages = opened.value
        pages.wait_for_selector("#desk:not([hidden])")
        pages.click("text=Read it")
        pages.wait_for_selector("#review:not([hidden])")
        shown = pages.inner_text("#sentence")
        pages.evaluate(AUTHENTICATOR)
        pages.click("#sign")
        pages.wait_for_function("window.refuse !== undefined")
        pages.evaluate(MESSAGE, [served.url.split("/v1")[0], {"token": "coordinator", "action": ASKED}])
        pages.wait_for_timeout(1_000)
        assert pages.inner_text("#sentence") == shown
        pages.evaluate("() => window.refuse(new DOMException('', 'NotAllowedError'))")
        pages.wait_for_selector("#said.bad")
        said = pages.inner_text("#said")
        assert "nothing was signed" in said
        assert "another record" in said


def test_a_co_signer_of_what_was_overtaken_is_told(served: Served) -> None:
    """What waits can't be made anew by who confirms it: whoever left it has to leave it again."""
    with browser_page() as page:
        enter(page, served)
        page.click("#make")
        page.wait_for_selector("text=not enrolled yet")
        endorse(served)
        page.reload()
        enter(page, served)
        page.click("text=Read it")
        page.wait_for_selector("#review:not([hidden])")
        problem = {"title": "the stream has grown: sign against the head given here", "code": "STALE"}
        page.route("**/statements", lambda route: route.fulfill(status=409, json={**problem, "status": 409}))
        said = sign(page)
        assert "Nothing was recorded" in said
        assert "left for you anew" in said


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", "https"),
        ("Object.defineProperty(navigator, 'credentials', { value: undefined })", "passkeys"),
    ],
)
def test_a_browser_that_can_not_sign_is_told(served: Served, broken: str, said: str) -> None:
    """In words of the page, before anything is written."""
    with browser_page() as page:
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.add_init_script(broken)
        page.goto(f"{served.pages}/#{served.url}")
        page.wait_for_selector("#said.bad")
        assert said in page.inner_text("#said")
        assert errors == []


def test_at_the_smallest_width_nothing_is_cut(served: Served) -> None:
    """320 px wide, everything fits, and a printed page shows all of a list."""
    with browser_page(NARROW) as page:
        enter(page, served)
        page.click("#make")
        page.wait_for_selector("text=not enrolled yet")
        rights = "all => all.map((each) => each.getBoundingClientRect().right)"
        assert max(page.eval_on_selector_all("body *", rights)) <= NARROW[0]
        page.emulate_media(media="print")
        for name in ("#scope", "#bytes"):
            style = page.eval_on_selector(name, "each => getComputedStyle(each).maxHeight")
            assert style == "none", name
        assert page.is_hidden("#make")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_on_what_is_behind_it(served: Served, scheme: str) -> None:
    """By day and by night each text has the contrast of WCAG 2.2 AA, 4.5; on paper all is dark on white."""
    with browser_page() as page:
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{served.pages}/#{served.url}")
        page.wait_for_selector("#enter:not([hidden])")
        page.click("text=Continue")
        page.wait_for_selector("#said.bad")
        assert page.evaluate(CONTRASTS) == []
        enter(page, served)
        page.click("#make")
        page.wait_for_selector("text=not enrolled yet")
        page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")
        assert page.evaluate(CONTRASTS) == []
        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == {"light": "rgb(241, 244, 247)", "dark": "rgb(18, 24, 30)"}[scheme]
        for name in ("review", "done"):
            page.evaluate(PART, name)
            assert page.evaluate(CONTRASTS) == []
        page.emulate_media(media="print", color_scheme=scheme)
        assert page.evaluate(ground) == "rgba(0, 0, 0, 0)"
        assert page.evaluate("getComputedStyle(document.body).color") == "rgb(23, 32, 42)"


def test_without_scripts_no_token_is_asked_for(served: Served) -> None:
    """The page says what it needs, and offers nothing that can't work."""
    with browser_page() as page:
        context = page.context.browser.new_context(java_script_enabled=False)
        plain = context.new_page()
        plain.goto(f"{served.pages}/#{served.url}")
        assert plain.is_visible("noscript p")
        assert plain.is_hidden("#enter")
