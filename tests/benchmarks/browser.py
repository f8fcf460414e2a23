"""verify.html in an installed Chromium: how long an export takes, and for how long the page does not answer.

    python -m tests.benchmarks.browser BUNDLE POLICY [ROUNDS]

Prints seconds and events a second of each round, the median, and the longest time that a round kept the page
from answering. Nothing is asserted; without a Chromium it says so.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.verifying import open_page, run

_WATCH = """() => {
  window.longest = 0;
  new PerformanceObserver((list) => {
    for (const each of list.getEntries()) window.longest = Math.max(window.longest, each.duration);
  }).observe({ type: "longtask", buffered: true });
}"""


def main(bundle: Path, policy: str, rounds: int) -> None:
    """Verify a bundle a few times, each in a new page."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("verify.html: skipped, no Chromium is installed")
        return
    took: list[float] = []
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for number in range(rounds):
            page, asked = open_page(browser, Path(place))
            page.evaluate(_WATCH)
            said = run(page, asked, bundle, policy).said
            longest = page.evaluate("window.longest")
            size, seconds = said["facts"]["size"], said["seconds"]
            took.append(seconds)
            print(
                f"round {number + 1}: {size} events in {seconds:.2f} s, {size / seconds:,.0f}/s, "
                f"longest task {longest:.0f} ms, verdicts {said['verdicts']}"
            )
            page.close()
        browser.close()
    print(f"verify.html: median {statistics.median(took):.2f} s")


if __name__ == "__main__":
    times = int(sys.argv[3]) if len(sys.argv) > 3 else 3
    main(Path(sys.argv[1]), Path(sys.argv[2]).read_text(encoding="utf-8"), times)
