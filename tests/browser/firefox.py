"""An installed Firefox, driven without a display over its own Marionette; none is ever fetched."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import BufferedRWPair
from pathlib import Path
from typing import Any, Final

import pytest

FIREFOX: Final = shutil.which("firefox") or shutil.which("firefox-esr")
ENTER: Final = "\ue007"
TIMEOUT_S: Final = 60
_AUTHENTICATOR: Final = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserConsenting": True, "isUserVerified": True,
}  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Firefox:
    """One page of a browser. A part of it is named by a CSS selector."""

    wire: BufferedRWPair
    sent: int = 0

    def do(self, command: str, **parameters: Any) -> Any:
        """Send one command and return its answer: `length:[0, id, name, parameters]` on the wire."""
        self.sent += 1
        body = json.dumps([0, self.sent, command, parameters]).encode()
        self.wire.write(b"%d:%b" % (len(body), body))
        self.wire.flush()
        _, _, error, result = self.answer()
        assert error is None, f"{command}: {error}"
        return result.get("value", result) if isinstance(result, dict) else result

    def answer(self) -> Any:
        """Read one message."""
        length = b""
        while (byte := self.wire.read(1)) != b":":
            assert byte, "Firefox went away"
            length += byte
        return json.loads(self.wire.read(int(length)))

    def go(self, url: str) -> None:
        """Open an address in a page that begins anew."""
        self.do("WebDriver:Navigate", url="about:blank")
        self.do("WebDriver:Navigate", url=url)

    def script(self, source: str, *arguments: Any) -> Any:
        """Run a function's body in the page."""
        return self.do("WebDriver:ExecuteScript", script=source, args=list(arguments))

    def click(self, part: str) -> None:
        """Click on a part as a hand does."""
        self.do("WebDriver:ElementClick", id=self._find(part))

    def type(self, part: str, text: str) -> None:
        """Type into a field, or give a file field the path of a file."""
        self.do("WebDriver:ElementSendKeys", id=self._find(part), text=text)

    def wait(self, part: str) -> str:
        """Wait for a part to be there; return its text."""
        end = time.monotonic() + TIMEOUT_S
        while not self.script("return document.querySelector(arguments[0]) !== null", part):
            assert time.monotonic() < end, f"no {part}: {self.script('return document.body.innerText')}"
            time.sleep(0.05)
        return str(self.script("return document.querySelector(arguments[0]).textContent", part))

    def _find(self, part: str) -> str:
        found = self.do("WebDriver:FindElement", using="css selector", value=part)
        return str(next(iter(found.values())))


@contextmanager
def firefox_page(profile: Path) -> Iterator[Firefox]:
    """Yield a page of a Firefox with a new profile, and an authenticator that verifies its user."""
    if FIREFOX is None:
        pytest.skip("no Firefox is installed: pages are not tried in it")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    profile.mkdir()
    (profile / "user.js").write_text(
        f'user_pref("marionette.port", {port});\n'
        'user_pref("security.webauth.webauthn_enable_softtoken", true);\n'
        'user_pref("security.webauth.webauthn_enable_usbtoken", false);\n'
    )
    command: list[str | Path] = [FIREFOX, "--headless", "--no-remote", "--profile", profile, "--marionette"]
    nothing, own = subprocess.DEVNULL, {"HOME": str(profile), "PATH": "/usr/bin:/bin"}
    with ExitStack() as stack:
        process = stack.enter_context(subprocess.Popen(command, stdout=nothing, stderr=nothing, env=own))
        stack.callback(process.terminate)
        wire = stack.enter_context(stack.enter_context(_connected(port)).makefile("rwb"))
        page = Firefox(wire=wire)
        page.answer()
        page.do("WebDriver:NewSession", capabilities={})
        page.do("WebAuthn:AddVirtualAuthenticator", **_AUTHENTICATOR)
        yield page


def _connected(port: int) -> socket.socket:
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        except ConnectionRefusedError:
            assert time.monotonic() < end, "Firefox does not listen"
            time.sleep(0.1)
