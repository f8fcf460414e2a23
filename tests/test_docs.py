"""The pages say what is there: paths, modules, commands, types, settings, dependencies."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ledger.actions import all_specs
from ledger.cli.app import build
from ledger.settings import SETTINGS, Settings
from tests.shared import ROOT

ARCHITECTURE = ROOT / "docs" / "architecture.md"
PART_11 = ROOT / "docs" / "part-11.md"
OPERATING = ROOT / "docs" / "operating.md"
README = ROOT / "README.md"
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
SUBSCRIBING = ROOT / "docs" / "subscribing.md"
PAGES = [README, ROOT / "CHANGELOG.md", ARCHITECTURE, OPERATING, SUBSCRIBING, PART_11, *DECISIONS]
PACKAGES = ("ledger", "projections", "api")
TYPES = {spec.type for spec in all_specs()}
CATALOGUE = set(
    re.findall(r"`([a-z_]+\.[a-z_]+)`", (ROOT / "docs" / "spec" / "catalogue.md").read_text("utf-8"))
)
SUFFIXES = ("db", "json", "jsonl", "toml", "csv", "py", "md", "lock", "sql", "html")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def quoted(text: str) -> list[str]:
    """Return what stands in backticks, blocks of commands left out."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text))


def is_there(name: str) -> bool:
    """Tell whether a path of the project exists, a module without its suffix included."""
    return (ROOT / name).exists() or (ROOT / f"{name}.py").is_file()


def types_in(text: str) -> set[str]:
    """Return the action types that a text names."""
    found = {name for name in quoted(text) if re.fullmatch(r"[a-z_]+\.[a-z_]+", name)}
    return {name for name in found if name.rpartition(".")[2] not in SUFFIXES}


@each_page
def test_paths_that_it_names_exist(page: Path) -> None:
    """A page that leads nowhere is out of date."""
    text = page.read_text(encoding="utf-8")
    paths = [
        name for name in quoted(text) if re.fullmatch(r"(ledger|projections|api|tests|docs)/[\w./-]+", name)
    ]
    links: list[str] = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [name for name in paths if not is_there(name)] == []
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_module_is_in_the_table_of_pieces() -> None:
    """A new module or package says what it is for, and a name in the table is a module."""
    named: list[str] = []
    for line in ARCHITECTURE.read_text(encoding="utf-8").splitlines():
        cells = line.split("|")
        folder = ""
        for name in quoted(cells[1]) if line.startswith("| `") else ():
            if name.rstrip("/").count("/"):
                folder, _, name = name.rstrip("/").rpartition("/")
            named.append(f"{folder}/{name.rstrip('/')}")
    here = {
        f"{package}/{path.stem}"
        for package in PACKAGES
        for path in (ROOT / package).iterdir()
        if (path.suffix == ".py" and path.stem != "__init__")
        or (path.is_dir() and path.name != "__pycache__")
    }
    assert sorted(named) == sorted(here)


def test_the_life_of_an_event_is_told_step_by_step() -> None:
    """Steps are numbered without a gap, each with its word."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    life = text.partition("## The life of an event")[2].partition("\n## ")[0]
    numbers = [int(number) for number in re.findall(r"(?m)^(\d+)\. \*\*[^*]+\*\*", life)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 10


@pytest.mark.parametrize("page", [page for page in PAGES if page != PART_11], ids=lambda page: page.name)
def test_action_types_that_it_names_exist(page: Path) -> None:
    """Pages speak of actions that can be recorded."""
    assert types_in(page.read_text(encoding="utf-8")) <= TYPES


def test_open_parts_name_what_is_not_there() -> None:
    """In part-11.md a type among the open parts is one of the catalogue that this version lacks."""
    for line in PART_11.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and "not yet" in line:
            *claimed, open_, _ = line.split("|")
            assert types_in(open_) <= CATALOGUE - TYPES
            assert types_in("|".join(claimed)) <= TYPES


def test_commands_of_the_readme_exist() -> None:
    """Each `trial-ledger …` of the README is a command of the program."""
    app = build()
    commands = {str(each.name or each.callback.__name__) for each in app.registered_commands if each.callback}
    groups = {str(each.name) for each in app.registered_groups}
    named = set(re.findall(r"(?m)(?:^|`)trial-ledger ([a-z]+)", README.read_text(encoding="utf-8")))
    assert named
    assert named <= commands | groups


def test_every_setting_is_in_its_table() -> None:
    """Documented or red: name, default and purpose are those of the code."""
    rows = [line for line in OPERATING.read_text("utf-8").splitlines() if line.startswith("| `TRIAL_LEDGER_")]
    expected = []
    for setting in SETTINGS:
        default = getattr(Settings(), setting.member)
        shown = {None: "", (): "", True: "on", False: "off"}.get(default, str(default))
        expected.append(f"| `{setting.name}` | {f'`{shown}`' if shown else '–'} | {setting.text} |")
    assert rows == expected


def test_settings_that_pages_name_exist() -> None:
    """A page never names a setting that is not read."""
    names = {setting.name for setting in SETTINGS}
    for page in PAGES:
        assert set(re.findall(r"TRIAL_LEDGER_[A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8"))) <= names


def test_every_dependency_has_its_reason() -> None:
    """The decision on dependencies lists exactly those of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(requirement for extra in extras for requirement in extra)]
    names = {re.split(r"[<>=]", requirement)[0] for requirement in wanted}
    text = (ROOT / "docs" / "adr" / "0004-dependencies.md").read_text(encoding="utf-8")
    listed = {
        name for line in text.splitlines() if line.startswith("|") for name in quoted(line.split("|")[1])
    }
    assert listed == names


def test_decisions_are_numbered_in_order() -> None:
    """File name and title have the number, and no number is missing."""
    pages = sorted((ROOT / "docs" / "adr").glob("*.md"))
    for number, page in enumerate(pages, 1):
        assert page.name.startswith(f"{number:04}-")
        assert page.read_text(encoding="utf-8").startswith(f"# {number}. ")
