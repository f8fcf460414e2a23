"""How one value stands on a page: markup with everything escaped, times with their zones, markers as markers.

Nothing of a value gets into the markup unescaped, and nothing but an index or a coded id becomes a link.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from projections.reader import is_marker
from projections.signed import INDEXES

MEANINGS: Final[Mapping[str, str]] = {
    "authorship": "I made this record",
    "review": "I have reviewed this",
    "approval": "I approve this",
    "responsibility": "I take responsibility for this",
    "verification": "I have verified this",
    "attestation": "The service attests this",
}
"""What a signature says, in the words of the pages where it is made."""

_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_EVENTS: Final = frozenset({"event", "statement"})
_TIMES: Final = frozenset({"utc", "local", "text", "utc_latest"})


def shown(base: str, name: str, value: Any) -> str:
    """Write one value as markup."""
    if value is None or value in ("", [], {}):
        return '<span class="none">–</span>'
    if is_marker(value):
        said = "erased" if "erased" in value else f"sealed: {escape(value['sealed'])}"
        return f'<span class="sealed">{said}</span>'
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return _object(base, value, "index" if name in INDEXES else None)
    if isinstance(value, list):
        parts = [shown(base, name, each) for each in value]
        return ", ".join(parts) if all(is_fact(each) for each in value) else "<br>".join(parts)
    if type(value) is int and value < 0 and _names_a_record(name):
        return f'{value}<span class="aside">in the log that this one continues</span>'
    if type(value) is int and _names_a_record(name):
        return f'<a href="{attribute(base)}/events/{value}.html">{value}</a>'
    if name == "participant" and isinstance(value, str):
        return f'<a href="{attribute(f"{base}/participants/{quote(value)}.html")}">{escape(value)}</a>'
    if name == "meaning" and value in MEANINGS:
        return f'{escape(str(value))}<span class="aside">{MEANINGS[value]}</span>'
    return in_time(str(value))


def _object(base: str, value: Mapping[str, Any], kind: str | None = None) -> str:
    if value.keys() == {"value", "unit"}:
        return f"{escape(str(value['value']))} {escape(str(value['unit']))}"
    if value.keys() <= _TIMES and "utc" in value:
        return moment(value)
    if value.keys() == {"id", "name", "role", "organisation"}:
        return signer(value)
    return (
        '<span class="inner">'
        + "".join(
            f'<span class="pair"><span class="key">{escape(plain_words(name))}</span> '
            f"{cell(base, kind or name, each)}</span>"
            for name, each in value.items()
        )
        + "</span>"
    )


def cell(base: str, name: str, value: Any) -> str:
    """Write a value in a table's cell: an event's hash leads to its entry, and shows as its beginning."""
    if name not in _EVENTS or not isinstance(value, str) or _HASH.fullmatch(value) is None:
        return shown(base, name, value)
    place = f"{attribute(base)}/events/{value}.html"
    return f'<a href="{place}" title="{value}"><code class="short">{value}</code></a>'


def signer(actor: Mapping[str, Any]) -> str:
    """Write a printed name with role and organisation."""
    aside = f"{escape(plain_words(str(actor['role'])))}, {escape(str(actor['organisation']))}"
    return f'{escape(str(actor["name"]))}<span class="aside">{aside}</span>'


def moment(value: Mapping[str, Any]) -> str:
    """Write a time as it stands at the site, as written where it is partial, and in UTC."""
    text, utc = value.get("text"), in_time(str(value["utc"]))
    partial = value.get("utc_latest") is not None
    main = in_time(str(text)) if partial or not value.get("local") else in_time(str(value["local"]))
    if text is None and not value.get("local"):
        return utc
    aside = f"{utc} to {in_time(str(value['utc_latest']))}" if partial else utc
    return f'{main}<span class="aside">{aside}</span>'


def in_time(text: str) -> str:
    """Escape a text; every time in it that has a zone is written with it, and a day as one word."""
    if _DAY.fullmatch(text):
        return f'<time datetime="{text}">{text}</time>'
    written, at = [], 0
    for found in _INSTANT.finditer(text):
        day, clock, zone = found.groups()
        shown_zone = "UTC" if zone == "Z" else f"UTC{zone}"
        written.append(escape(text[at : found.start()]))
        written.append(f'<time datetime="{attribute(found[0])}">{day} {clock} {shown_zone}</time>')
        at = found.end()
    return "".join(written) + escape(text[at:])


def escape(text: str) -> str:
    """Escape text between tags."""
    return html.escape(text, quote=False)


def attribute(text: str) -> str:
    """Escape text in an attribute."""
    return html.escape(text, quote=True)


def plain_words(name: str) -> str:
    """Return a name of the interface in words."""
    return name.replace("_", " ").replace("-", " ")


def _names_a_record(name: str) -> bool:
    return (name.endswith("index") and name != "list_index") or name in (
        "found", "recorded", "closed_by", "explained_by", "corrected_by", "cosigned_by", "voided_by",
    )  # fmt: skip


def is_fact(value: Any) -> bool:
    """Tell whether a value fits one line."""
    if isinstance(value, dict):
        return is_marker(value) or value.keys() == {"value", "unit"} or value.keys() <= _TIMES
    if isinstance(value, list):
        return not any(isinstance(each, dict | list) for each in value)
    return True
