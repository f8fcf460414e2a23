"""The host of the signing pages, and the one origin that may ask from another page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.signing_host import MEDIA, digest, hashes, page_files, pages, policy
from api.study import OpenStudy
from ledger.browser import verify_html
from ledger.cli.app import run
from ledger.errors import FormatError
from ledger.signing.settings import SigningSettings
from tests.api.client import BASE, bearer, config
from tests.ledger.small_ledger import make
from tests.ledger.write_path import refused
from tests.shared import ROOT

API: Final = "https://ledger.example"
ORIGIN: Final = "https://sign.example"
WEB: Final = ROOT / "api" / "web" / "sign"


@pytest.fixture(scope="module")
def host() -> TestClient:
    """The pages' own application."""
    return TestClient(pages(API))


@pytest.fixture(scope="module")
def interface(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The interface of a study that has signing pages."""
    made = make(tmp_path_factory.mktemp("pages") / "ledger", participants=1)
    signing = SigningSettings(rp_id="sign.example", origins=(ORIGIN,))
    study = OpenStudy(config=replace(config(made), signing=signing), ledger=made.ledger)
    with TestClient(create_app([study])) as http:
        yield http
    made.ledger.close()


def test_every_file_is_served_and_listed_by_its_hash(host: TestClient) -> None:
    """What a browser gets is what the list says, and nothing is there that is not listed."""
    listed = dict(reversed(line.split("  ")) for line in host.get("/pages.sha256").text.splitlines())
    assert listed.keys() == MEDIA.keys() == {"encoding.js", *(path.name for path in WEB.iterdir())}
    for name, sha256 in listed.items():
        answer = host.get(f"/{name}")
        assert hashlib.sha256(answer.content).hexdigest() == sha256
        assert answer.headers["Content-Type"] == MEDIA[name]
    assert host.get("/").content == page_files()["index.html"]


def test_the_host_serves_nothing_else(host: TestClient) -> None:
    """No other path, no other method, no way out of the folder."""
    for path in ("/nothing", "/v1/studies/small/signing", "/../docs.html", "/%2e%2e/docs.html", "/sign.js/"):
        assert host.get(path).status_code == 404
    assert host.post("/").status_code == 405


def test_the_pages_may_run_their_own_files_and_reach_one_service(host: TestClient) -> None:
    """The policy names no other source, and nothing inline; no frame shows them."""
    for path in ("/", "/sign.js", "/nothing"):
        rules = host.get(path).headers["Content-Security-Policy"]
        assert f"connect-src {API};" in rules
        assert "default-src 'none'" in rules
        assert "frame-ancestors 'none'" in rules
        assert "unsafe" not in rules
    assert host.get("/").headers["X-Frame-Options"] == "DENY"
    text = page_files()["index.html"].decode()
    assert "<script>" not in text
    assert "style=" not in text
    assert " on" + "click" not in text
    assert all(b"://" not in data.replace(b"https://csrc", b"") for data in page_files().values())


@pytest.mark.parametrize(
    "origin", ["", "ledger.example", "ftp://x", "https://x; script-src *", "https://x/y", "https://"]
)
def test_what_is_no_origin_is_no_place_for_the_interface(origin: str) -> None:
    """Nothing else gets into the policy."""
    with refused("SETTING", FormatError):
        policy(origin)


def test_the_released_hash_is_that_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """One hash stands for all files, and the command prints it for system.released."""
    assert digest() == hashlib.sha256(hashes().encode()).hexdigest()
    assert run(["signing-pages", "--hash"]) == 0
    assert capsys.readouterr().out == digest() + "\n"
    assert run(["signing-pages"]) == 0
    assert capsys.readouterr().out == hashes()


def test_what_is_signed_and_what_is_verified_mean_the_same_bytes() -> None:
    """Canonical JSON, base64 and hashes are one text, in verify.html and on the signing pages."""
    text, _, names = page_files()["encoding.js"].decode().partition("\nexport ")
    assert text in verify_html().decode()
    defined = set(re.findall(r"^(?:async )?(?:const|function) (\w+)", text, re.MULTILINE))
    exported = set(re.findall(r"\w+", names))
    assert exported == defined - {"ENCODER", "DECODER", "HEX"}
    for name, data in page_files().items():
        if name != "encoding.js":
            assert b"btoa(" not in data, name
            assert b"subtle.digest" not in data, name


def test_every_name_that_a_page_imports_is_there() -> None:
    """A module that names what another lacks would not run at all."""
    files = {name: data.decode() for name, data in page_files().items() if name.endswith(".js")}
    for name, text in files.items():
        for wanted, source in re.findall(
            r"^import \{ ([\w, ]+) \} from \"\./([\w.]+)\";", text, re.MULTILINE
        ):
            for each in wanted.split(", "):
                pattern = rf"export [^;]*\b{each}\b|export (?:async )?(?:function|class|const) {each}\b"
                assert re.search(pattern, files[source]), (name, each)


def test_pages_of_the_signing_origin_may_ask(interface: TestClient) -> None:
    """Exactly that origin, by a token; cookies are not let in."""
    asked: dict[str, Any] = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = interface.options(f"{BASE}/statements", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    for headers, status in (({}, 401), (bearer("coordinator"), 200)):
        answer = interface.get(f"{BASE}/participants", headers={"Origin": ORIGIN, **headers})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)
        assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("origin", "path"),
    [
        ("https://elsewhere.example", f"{BASE}/checkpoint"),
        ("null", f"{BASE}/checkpoint"),
        (ORIGIN + ".example", f"{BASE}/checkpoint"),
        (ORIGIN.upper(), f"{BASE}/checkpoint"),
        (ORIGIN, "/v1/studies/other/checkpoint"),
        (ORIGIN, "/livez"),
    ],
)
def test_no_other_page_may(interface: TestClient, origin: str, path: str) -> None:
    """Neither another origin, nor at another study's address."""
    for method in ("GET", "OPTIONS"):
        answer = interface.request(method, path, headers={"Origin": origin})
        assert not any(name.startswith("access-control") for name in answer.headers)
