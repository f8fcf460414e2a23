"""`definition`: a study definition as people write it, checked, labelled, and as a ledger attaches it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ledger.attachments import name_attachment
from ledger.cli.terminal import AsJson, read_file, show
from ledger.new_file import new_file
from ledger.study.definition import StudyDefinition, Visit, load, published
from ledger.study.plain import CONFIGURED, labelled, written

MEDIA_TYPE = "application/json"

File = Annotated[Path, typer.Argument(metavar="FILE", help="The definition: plain values, or labelled ones.")]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="A new file.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="A study definition: check it, label it, publish it.", no_args_is_help=True)
    group.command()(example)
    group.command()(check)
    group.command()(label)
    group.command()(publish)
    app.add_typer(group, name="definition")


def example(out: Out, as_json: AsJson = False) -> None:
    """Write a small definition to start from: open label, one arm, three visits."""
    data = files("ledger.study").joinpath("definitions/example.json").read_bytes()
    with new_file(out) as file:
        file.write(data)
    show({"study": load(written(data)).study, "size": len(data)}, as_json)


def check(file: File, as_json: AsJson = False) -> None:
    """Show what a definition says, its calendar too; the first fault is named by its place."""
    data = written(read_file(file))
    definition = load(data)
    sha256 = hashlib.sha256(published(data)).hexdigest()
    if as_json:
        show({"study": definition.study, "version": definition.version, "published_sha256": sha256}, True)
        return
    show({**_said(definition), "published": f"SHA-256 {sha256}"}, as_json=False)
    print()
    rows = list(_calendar(definition))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(map(str.ljust, row, widths)).rstrip())


def label(
    file: File,
    out: Out,
    source: Annotated[
        Literal["S", "R", "U", "X"],
        typer.Option(help="Of what has none: S listing, R registry, U protocol in USDM, X not published."),
    ] = CONFIGURED,
    as_json: AsJson = False,
) -> None:
    """Write a definition with the source of every value, to be told apart value by value from there on."""
    value = labelled(read_file(file), source)
    load(json.dumps(value).encode())
    with new_file(out) as target:
        target.write((json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())
    show({"definition": str(out), "source": source}, as_json)


def publish(file: File, out: Out, as_json: AsJson = False) -> None:
    """Write what `protocol.approved` attaches: canonical, without the block sizes, which stay with you."""
    content = published(written(read_file(file)))
    with new_file(out) as target:
        target.write(content)
    show(name_attachment(MEDIA_TYPE, content), as_json)


def _said(definition: StudyDefinition) -> dict[str, Any]:
    drawn = definition.randomization
    ratio = "nobody is allocated"
    if drawn is not None:
        arms = ", ".join(f"{row.arm} {row.ratio}" for row in drawn.arms)
        ratio = f"{arms}; by {drawn.stratified_by}, {drawn.slots} slots a stratum"
    checked = sum(criterion.check is not None for criterion in definition.criteria)
    return {
        "study": f"{definition.study}, version {definition.version}: {definition.title}",
        "masking": definition.masking.description,
        "sites": [f"{site.id} ({site.zone})" for site in definition.sites.values()],
        "arms": [f"{arm.id} ({arm.kind})" for arm in definition.arms],
        "randomization": ratio,
        "criteria": f"{len(definition.criteria)}, of which a machine checks {checked}",
        "instruments": [*definition.instruments] or "none",
        "safety_clocks": [f"{each.id} {each.limit} {each.unit}" for each in definition.safety_clocks.values()]
        or "none",
    }


def _calendar(definition: StudyDefinition) -> Iterator[tuple[str, ...]]:
    yield "visit", "kind", "day", "window", "needed", "instruments"
    for visit in definition.visits:
        yield (
            visit.id, visit.kind, _day(visit), f"-{visit.before_days} +{visit.after_days}",
            "yes" if visit.required else "no", ", ".join(visit.instruments),
        )  # fmt: skip


def _day(visit: Visit) -> str:
    return str(visit.day) if visit.anchor == "day_1" else f"last infusion +{visit.day}"
