"""Texts of protocols, which come as HTML with references: reduced to plain text, and names to codes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Final

_BREAKS: Final = frozenset({"p", "li", "ol", "ul", "table", "tr", "br", "div"})
_TAG: Final = re.compile(r"<usdm:tag\s+name=\"([^\"]*)\"\s*(?:/>|>\s*</usdm:tag>)")
_ITEM: Final = "\n- "
_MAX_CODE: Final = 64


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag == "li":
            self.parts.append(_ITEM)
        elif tag in ("td", "th"):
            self.parts.append(" ")
        elif tag in _BREAKS and not self._begins_item():
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)

    def _begins_item(self) -> bool:
        """Tell whether an item has no words yet: its first paragraph stands in its line."""
        written = [part for part in self.parts if part.strip(" \n") or part == _ITEM]
        return bool(written) and written[-1] == _ITEM


def plain(text: str, resolve: Callable[[str], str | None] = lambda _: None) -> str:
    """Return the words of an HTML text, one line a paragraph or item; tags of references are resolved.

    A reference that `resolve` does not know stays, in square brackets.
    """
    parser = _Text()
    parser.feed(_TAG.sub(lambda match: resolve(match[1]) or f"[{match[1]}]", text))
    parser.close()
    lines = (" ".join(_allowed(line).split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line and line != "-")


def tags(text: str) -> list[str]:
    """Return the names of the references in a text."""
    return _TAG.findall(text)


def code(text: str) -> str:
    """Return a code for a name: lower case, words joined by `_`, a letter first; never empty."""
    words = re.findall(r"[a-z0-9]+", unicodedata.normalize("NFKD", text).lower())
    joined = "_".join(words) or "unnamed"
    return (joined if joined[0].isalpha() else f"n_{joined}")[:_MAX_CODE].rstrip("_")


def _allowed(text: str) -> str:
    """Leave out what the canonical form does not allow: format and control characters (record-format §1)."""
    text = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text if _shown(c))


def _shown(character: str) -> bool:
    return unicodedata.category(character) not in ("Cf", "Cs", "Co", "Cn")
