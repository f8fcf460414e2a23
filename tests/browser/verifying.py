"""verify.html as somebody uses it: opened from the disk, given an export and a policy, asked to verify."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page

from ledger.browser import verify_html

TIMEOUT_MS = 120_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What the page said, and what it asked the network for."""

    said: dict[str, Any]
    page: Page
    requests: list[str]

    @property
    def codes(self) -> set[str]:
        """Codes that speak against a verdict."""
        return {each["code"] for each in self.said["findings"] if each["verdict"] != "note"}

    def indexes(self, code: str) -> list[int | None]:
        """Where a code was found."""
        return [each["index"] for each in self.said["findings"] if each["code"] == code]

    def holds(self, verdict: str) -> bool:
        """Tell whether nothing was found against a verdict, and all that is judged here was judged."""
        return bool(self.said["verdicts"][verdict] == "no fault found")


def open_page(browser: Browser, place: Path) -> tuple[Page, list[str]]:
    """Open the page from a file; every request that is not of that file is listed."""
    file = place / "verify.html"
    file.write_bytes(verify_html())
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    page.on("console", lambda message: asked.append(f"console: {message.text}"))
    page.goto(file.as_uri())
    asked.remove(file.as_uri())
    return page, asked


def run(page: Page, asked: list[str], bundle: Path, policy: str, **stated: str) -> Result:
    """Choose a bundle, state what is stated, and verify."""
    page.fill("#policy", policy)
    page.select_option("#kind", stated.get("kind", "study"))
    if "id" in stated:
        page.fill("#scope-id", stated["id"])
    page.select_option("#role", stated.get("role", "auditor"))
    page.fill("#ledger-id", stated.get("ledger_id", ""))
    page.set_input_files("#previous", stated.get("previous", []))
    page.set_input_files("#folder" if bundle.is_dir() else "#zip", str(bundle))
    page.click("#verify")
    page.wait_for_selector("#result:not([hidden])", timeout=TIMEOUT_MS)
    said = json.loads(page.text_content("#json") or "")
    return Result(said=said, page=page, requests=list(asked))


def drop(page: Page, *paths: Path, onto: str = "#drop") -> None:
    """Drop files or folders of the disk onto a part of the page, as a hand does."""
    target = page.locator(onto)
    target.scroll_into_view_if_needed()
    box = target.bounding_box()
    assert box is not None
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for step in ("dragEnter", "dragOver", "drop"):
        session.send(
            "Input.dispatchDragEvent", {"type": step, "x": box["x"] + 20, "y": box["y"] + 10, "data": data}
        )
    session.detach()


def verified(page: Page) -> dict[str, Any]:
    """Press Verify and return what the page says then."""
    page.click("#verify")
    page.wait_for_selector("#result:not([hidden])", timeout=TIMEOUT_MS)
    said: dict[str, Any] = json.loads(page.text_content("#json") or "")
    return said


def flip(path: Path, at: int) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def zipped(place: Path, to: Path, **extra: str) -> Path:
    """Pack a bundle in the one allowed form, `extra` files at the end as they come."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:
        names = sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())
        for name in [*names, *extra]:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, 0o644 << 16
            data = (place / name).read_bytes() if name in names else extra[name].encode()
            archive.writestr(info, data)
    return to
