"""verify.html by hand: what is dropped on it, what it is told, and what it says of which export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ledger.browser import verify_html
from ledger.checkpoint import parse_body
from ledger.merkle import leaf_hash, tree_root
from ledger.note import parse_note
from ledger.policy import format_policy
from tests.attacks.mutators_log import copied, truncate
from tests.browser.verifying import drop, open_page, verified
from tests.ledger.forgery import Forgery
from tests.ledger.small_ledger import SmallLedger, make

CHOSEN_MS = 5_000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SmallLedger:
    """One small ledger for the whole file."""
    return make(tmp_path_factory.mktemp("ledger") / "d")


@pytest.fixture(scope="module")
def bundle(made: SmallLedger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its export, a folder."""
    forged = Forgery(made, tmp_path_factory.mktemp("bundle") / "b")
    return forged.write(tmp_path_factory.mktemp("good") / "good")


@pytest.fixture
def page(browser: Browser, made: SmallLedger, tmp_path: Path) -> Iterator[Page]:
    """The page, opened from the disk, with the policy filled in."""
    opened, _ = open_page(browser, tmp_path)
    opened.fill("#policy", format_policy(made.policy).decode())
    yield opened
    opened.close()


def chosen(page: Page, text: str) -> None:
    """Wait until the page says what is chosen."""
    page.wait_for_function(
        "text => document.getElementById('chosen').textContent.includes(text)", arg=text, timeout=CHOSEN_MS
    )


def problem(page: Page, text: str) -> None:
    """Wait until the page complains so."""
    page.wait_for_function(
        "text => document.getElementById('problem').textContent.includes(text)", arg=text, timeout=CHOSEN_MS
    )


def test_a_folder_dropped_on_a_page_of_the_disk(page: Page, bundle: Path) -> None:
    """A browser lets a page of the disk read a dropped folder by its handle, and not by its entry."""
    drop(page, bundle)
    chosen(page, "folder good, ")
    said = verified(page)
    assert said["outcome"] == "no fault found"
    assert said["export"].startswith("folder good, ")


def test_what_falls_beside_the_zone_is_taken_too(page: Page, bundle: Path) -> None:
    """It neither replaces the page nor goes unheard."""
    drop(page, bundle, onto="footer")
    chosen(page, "folder good, ")


def test_a_policy_is_dropped_on_its_field(page: Page, made: SmallLedger, tmp_path: Path) -> None:
    """A file that falls on the policy's field is the policy."""
    page.fill("#policy", "")
    drop(page, made.write_policy(tmp_path / "policy"), onto="#policy")
    page.wait_for_function("() => document.getElementById('policy').value.startsWith('# ledger-id')")
    assert (page.text_content("#chosen") or "").startswith("Nothing")


def test_several_things_dropped_are_none_of_them_taken(page: Page, bundle: Path) -> None:
    """What is in an export, dropped file by file, is not the export."""
    drop(page, bundle / "checkpoint", bundle / "scope.json")
    problem(page, "this was 2 things")
    assert page.is_disabled("#verify")


@pytest.mark.parametrize("wrong", ["pdf", "policy", "cut zip", "empty file", "ledger"])
def test_what_is_no_export_is_unusable(page: Page, bundle: Path, tmp_path: Path, wrong: str) -> None:
    """What can't be judged has no verdict, and the page says that it has none."""
    place = tmp_path / wrong.replace(" ", ".")
    if wrong == "ledger":
        place.mkdir()
        (place / "ledger.toml").write_text("")
    else:
        data = {"pdf": b"%PDF-1.7\n" * 200, "policy": b"# ledger-id", "cut zip": b"PK\3\4" + bytes(99)}
        place.write_bytes(data.get(wrong, b""))
    drop(page, place)
    chosen(page, place.name)
    said = verified(page)
    assert said["outcome"] == "unusable"
    assert [each["code"] for each in said["findings"]] == ["BUNDLE"]
    assert said["verdicts"]["integrity"] == said["verdicts"]["completeness"] == "not judged"
    assert "UNUSABLE" in (page.text_content("#summary") or "")
    assert "not given" not in page.inner_text("#facts")


def test_an_empty_folder_has_no_checkpoint(page: Page, tmp_path: Path) -> None:
    """It is an export of which everything is missing, as it is to the verifier."""
    (tmp_path / "nothing").mkdir()
    drop(page, tmp_path / "nothing")
    chosen(page, "folder nothing, 0 files")
    said = verified(page)
    assert (said["outcome"], said["verdicts"]["integrity"]) == ("fails", "fails")
    assert page.inner_text("#findings tbody td:last-child") == "a file that the bundle must have is missing"


def test_a_file_that_is_gone_when_it_is_read(page: Page, bundle: Path, tmp_path: Path) -> None:
    """It is named as missing: no fault of the page's, and nothing that passes."""
    place = Path(shutil.copytree(bundle, tmp_path / "moved"))
    drop(page, place)
    chosen(page, "folder moved, ")
    (place / "scope.json").unlink()
    said = verified(page)
    assert [(each["code"], each["file"]) for each in said["findings"] if each["verdict"] != "note"] == [
        ("FILE_MISSING", "scope.json")
    ]


def test_nothing_is_chosen_while_something_is_checked(page: Page, bundle: Path, tmp_path: Path) -> None:
    """A result is of what was chosen when it was asked for, and says of what."""
    (tmp_path / "other").mkdir()
    drop(page, bundle)
    chosen(page, "folder good, ")
    # As if the export were large: the page is asked once it has begun.
    page.evaluate("""() => {
        const own = progress;
        let first = true;
        progress = async (...args) => {
            if (first) await new Promise((resolve) => { window.goOn = resolve; });
            first = false;
            return own(...args);
        };
    }""")
    page.click("#verify")
    page.wait_for_function("() => window.goOn !== undefined")
    drop(page, tmp_path / "other")
    problem(page, "is being checked")
    assert page.is_disabled("#zip")
    page.evaluate("window.goOn()")
    page.wait_for_selector("#result:not([hidden])")
    assert json.loads(page.text_content("#json") or "")["export"].startswith("folder good, ")
    assert (page.text_content("#chosen") or "").startswith("folder good, ")


def test_the_last_of_two_drops_counts(page: Page, bundle: Path, tmp_path: Path) -> None:
    """Whichever is listed first, the one that was dropped last is chosen."""
    (tmp_path / "last").mkdir()
    drop(page, bundle)
    drop(page, tmp_path / "last")
    chosen(page, "folder last, ")
    page.wait_for_timeout(300)
    assert (page.text_content("#chosen") or "").startswith("folder last, ")


@pytest.mark.parametrize("change", ["export", "policy", "scope", "role", "ledger id"])
def test_a_result_goes_when_what_it_is_of_changes(
    page: Page, bundle: Path, tmp_path: Path, change: str
) -> None:
    """No verdict stands beside another export, policy, scope, role or ledger than its own."""
    drop(page, bundle)
    chosen(page, "folder good, ")
    verified(page)
    if change == "export":
        (tmp_path / "x.zip").write_bytes(b"")
        page.set_input_files("#zip", tmp_path / "x.zip")
    elif change == "policy":
        page.fill("#policy", "quorum none\n")
    elif change == "ledger id":
        page.fill("#ledger-id", "ab" * 32)
    else:
        page.select_option(
            "#kind" if change == "scope" else "#role", "site" if change == "scope" else "inspector"
        )
    assert page.locator("#result").is_hidden()
    assert page.locator("#events").is_hidden()


def test_what_is_still_needed_is_said(page: Page, bundle: Path) -> None:
    """A button that can't be pressed says why."""
    assert page.text_content("#phase") == "Still needed: an export."
    page.fill("#policy", " ")
    drop(page, bundle)
    chosen(page, "folder good, ")
    assert page.text_content("#phase") == "Still needed: your trust policy."
    page.select_option("#kind", "site")
    assert "the id of the site" in (page.text_content("#phase") or "")


def test_a_ledger_id_that_the_policy_contradicts(page: Page, bundle: Path) -> None:
    """As to the verifier, that is a mistake of the auditor's and no verdict on the export."""
    drop(page, bundle)
    chosen(page, "folder good, ")
    page.fill("#ledger-id", "ab" * 32)
    page.click("#verify")
    problem(page, "names another ledger")
    assert page.locator("#result").is_hidden()


def test_a_ledger_that_nobody_named(page: Page, bundle: Path, made: SmallLedger) -> None:
    """What is found of it is found, and the end of it is that nobody said which ledger it should be."""
    page.fill("#policy", format_policy(replace(made.policy, ledger_id=None)).decode())
    drop(page, bundle)
    chosen(page, "folder good, ")
    said = verified(page)
    assert (said["outcome"], said["verdicts"]["integrity"]) == ("unpinned", "no fault found")
    assert "UNPINNED" in (page.text_content("#summary") or "")


@pytest.mark.parametrize(
    "text", ["log x", "group g 2 a a\nquorum g", "quorum nobody", "quorum none\nquorum none"]
)
def test_a_policy_that_the_verifier_refuses(page: Page, bundle: Path, made: SmallLedger, text: str) -> None:
    """It is refused here too: the page never counts a witness twice, or one that is none."""
    lines = format_policy(made.policy).decode().replace("quorum none\n", "")
    page.fill("#policy", f"{lines}{text}\n")
    drop(page, bundle)
    chosen(page, "folder good, ")
    said = verified(page)
    assert [each["code"] for each in said["findings"]] == ["POLICY"]
    assert (said["outcome"], said["verdicts"]["integrity"]) == ("unusable", "not judged")


def test_an_earlier_checkpoint_that_the_auditor_holds(
    page: Page, made: SmallLedger, bundle: Path, tmp_path: Path
) -> None:
    """The log goes on from it, or its past was changed."""
    (tmp_path / "held").write_bytes((bundle / "checkpoint").read_bytes())
    later = Forgery(made, tmp_path / "b")
    shorter = copy_without_last(later)
    for place, expected in (
        (later.write(tmp_path / "later"), set()),
        (shorter.write(tmp_path / "cut"), {"PREVIOUS"}),
    ):
        page.set_input_files("#previous", tmp_path / "held")
        drop(page, place)
        chosen(page, f"folder {place.name}, ")
        said = verified(page)
        assert {each["code"] for each in said["findings"]} & {"PREVIOUS"} == expected
    assert parse_body(parse_note((tmp_path / "held").read_bytes()).text).size == later.size
    assert tree_root([leaf_hash(leaf) for leaf in later.leaves]) != tree_root(
        [leaf_hash(leaf) for leaf in shorter.leaves]
    )


def copy_without_last(forged: Forgery) -> Forgery:
    """Cut the last entry off."""
    other = copied(forged)
    truncate(other, other.size - 1)
    return other


def test_names_that_turn_text_are_shown_as_escapes(page: Page, bundle: Path, tmp_path: Path) -> None:
    """A name on the disk can't make the page read otherwise than it is."""
    place = tmp_path / "a\u202egpj.zip"
    place.write_bytes(b"")
    page.set_input_files("#zip", place)
    assert "a\\u202egpj.zip" in (page.text_content("#chosen") or "")
    assert "\u202e" not in (page.text_content("#chosen") or "")


def test_everything_by_keyboard(page: Page, bundle: Path) -> None:
    """Everything to press is reached by the tab key, in the order of the page, and an event leads back."""
    page.set_input_files("#folder", bundle)
    page.focus("#zip")
    order = ["zip"]
    for _ in range(40):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id"))
        if order[-1] == "verify":
            break
    wanted = ["zip", "folder", "policy", "policy-file", "previous", "ledger-id", "kind", "role", "verify"]
    assert [each for each in order if each in wanted] == wanted
    page.keyboard.press("Enter")
    page.wait_for_selector("#result:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "result-title"
    page.focus("#list button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#event-body h3")
    assert page.evaluate("document.activeElement.id") == "event-title"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "events-title"


def test_no_wider_than_a_telephone(page: Page, bundle: Path) -> None:
    """At 320 pixels nothing but a table's own frame goes past the edge."""
    page.set_viewport_size({"width": 320, "height": 640})
    page.set_input_files("#folder", bundle)
    verified(page)
    page.click("#list button")
    page.wait_for_selector("#event-body h3")
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_print_is_dark_on_white(browser: Browser, made: SmallLedger, bundle: Path, tmp_path: Path) -> None:
    """Also where the screen is dark; printed is what was found, of what and when, and not what was asked."""
    page, _ = open_page(browser, tmp_path)
    page.fill("#policy", format_policy(made.policy).decode())
    page.set_input_files("#folder", bundle)
    verified(page)
    page.emulate_media(color_scheme="dark", media="print")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 31, 36)"
    assert page.locator("#ask").is_hidden()
    facts = page.inner_text("#facts")
    assert "folder good, " in facts
    assert " UTC, by this computer's clock" in facts
    page.close()


WITHOUT = """(name) => {
    const own = crypto.subtle.importKey.bind(crypto.subtle);
    crypto.subtle.importKey = (format, data, algorithm, ...rest) =>
        algorithm.name.startsWith(name)
            ? Promise.reject(new DOMException("not here", "NotSupportedError"))
            : own(format, data, algorithm, ...rest);
}"""


def test_a_browser_without_post_quantum_signatures(page: Page, bundle: Path) -> None:
    """It says that a part was not checked, in the line of the end already, and which."""
    page.evaluate(WITHOUT, "ML-DSA")
    page.set_input_files("#folder", bundle)
    said = verified(page)
    assert said["not_checked"] == {"the log's post-quantum signature (ML-DSA-44)": 1}
    assert "in what this browser can check" in (page.text_content("#summary") or "")
    assert "in what this browser can check" in (page.text_content("#verdicts") or "")
    assert (page.text_content("#unchecked li") or "").startswith("the log's post-quantum signature")


def test_a_browser_without_the_signatures_of_people(page: Page, bundle: Path) -> None:
    """It judges nothing, and says why."""
    page.evaluate(WITHOUT, "Ed25519")
    page.set_input_files("#folder", bundle)
    said = verified(page)
    assert (said["outcome"], said["verdicts"]["integrity"]) == ("unusable", "not judged")
    assert "can't check Ed25519" in said["findings"][0]["detail"]


def test_a_browser_that_runs_no_script(browser: Browser, tmp_path: Path) -> None:
    """It says that nothing is checked."""
    (tmp_path / "v.html").write_bytes(verify_html())
    page = browser.new_page(java_script_enabled=False)
    page.goto((tmp_path / "v.html").as_uri())
    assert "nothing is checked" in page.inner_text("header")
    page.close()


def test_a_fault_of_the_page_itself_passes_nothing(page: Page, bundle: Path) -> None:
    """Where the page fails at one event, no verdict is one of no fault."""
    page.evaluate("""() => {
        const own = parseStatement;
        let count = 0;
        parseStatement = (bytes) => {
            count += 1;
            if (count === 9) throw new RangeError("a defect");
            return own(bytes);
        };
    }""")
    page.set_input_files("#folder", bundle)
    said = verified(page)
    assert "UNJUDGED" in {each["code"] for each in said["findings"]}
    assert said["verdicts"]["completeness"] == "not judged"
    assert said["outcome"] != "no fault found"
