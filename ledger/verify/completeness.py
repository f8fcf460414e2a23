"""Nothing under the stated labels is missing: scope, withheld statements, salts, openings (§9).

A withheld statement still has its leaf, so its place in tree and stream is judged like any other; here is
judged whether it may be withheld at all, and whether what is shown may be shown. The table of roles decides,
nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from ledger.actions.registry import spec
from ledger.errors import FormatError, LedgerError
from ledger.leaf import Leaf, is_salted
from ledger.roles import SIGHTS, sees_scope, sees_stream
from ledger.sealing import check_disclosure, digest
from ledger.statement import Statement
from ledger.verify.bundle import Bundle
from ledger.verify.findings import finding
from ledger.verify.form import ParsedEntry
from ledger.verify.options import Scope
from ledger.verify.rows import Place, Right
from ledger.verify.sidecars import disclosure_lines, withheld_lines
from ledger.verify.tables import KeyTable
from ledger.verify.tree import Reporter

CORRECTION = ("correction.made", 2)
MOST_PLACES: Final = 4_096


class CompletenessJudge:
    """Judges what is shown, withheld and opened, entry by entry, against scope and role."""

    def __init__(
        self, bundle: Bundle, scope: Scope, role: str, tags: Mapping[str, str], report: Reporter
    ) -> None:
        """Begin before index 0; `tags` are the streams whose salts are given."""
        self.shown = 0
        self.withheld = 0
        self.sealed = 0
        self.opened = 0
        self._scope = scope
        self._role = role
        self._bundle = bundle
        self._tags = tags
        self._tag_of = {stream: tag for tag, stream in tags.items()}
        self._report = report
        self._withheld_lines = withheld_lines(bundle, report)
        self._disclosures = disclosure_lines(bundle, report)
        self._digests = KeyTable(43)
        self._inside = 0
        self._unused = set(tags)
        self._missing_salts: dict[str, tuple[str, int]] = {}
        self._cut: set[str] = set()
        self._hidden: dict[str, str] = {}
        self._unopened: dict[str, int] = {}
        self._remarks: dict[Place, tuple[tuple[str, str], ...]] = {}

    def judge(self, parsed: ParsedEntry, authorised_scopes: Mapping[str, str]) -> dict[str, Any]:
        """Judge one entry; return the values that are opened, by path. `authorised_scopes`: scope by path."""
        leaf, statement = parsed.leaf, parsed.statement
        stream = None if statement is None else statement.stream
        line = self._pass(parsed.index, leaf.stream, leaf.site, stream)
        if parsed.shown:
            self._judge_line(parsed.index, line)
        else:
            self.withheld += 1
            self._judge_withheld(parsed, line)
        if statement is None:
            if self._disclosures.take(parsed.index) is not None:
                self._find("DISCLOSURE", "an opening for a statement that is not shown", parsed.index)
            return {}
        place = Place(statement.stream, statement.tag, statement.cls, statement.site)
        self._judge_shown(parsed.index, place)
        return self._judge_openings(parsed.index, statement.id, statement.sealed, authorised_scopes)

    def follow(self, right: Right) -> dict[str, Any]:
        """Judge a shown entry whose labels are its statement's, and whose sealed paths have fixed scopes."""
        index, place, row = right.index, right.place, right.row
        self._judge_line(index, self._pass(index, place.tag, place.site or "", place.stream))
        self._judge_shown(index, place)
        sealed = row[7]
        scopes = fixed_scopes(*right.question[:2], tuple(sealed)) if sealed else {}
        return self._judge_openings(index, row[2], sealed, scopes)

    def _pass(self, index: int, tag: str, site: str, stream: str | None) -> dict[str, Any] | None:
        """Count an entry by its labels; return its line in the list of what is withheld."""
        self._unused.discard(tag)
        if self._is_inside(tag, site, stream):
            self._inside += 1
        return self._withheld_lines.take(index)

    def _judge_line(self, index: int, line: dict[str, Any] | None) -> None:
        self.shown += 1
        if line is not None:
            self._find("WITHHELD_FORM", "listed as withheld, but shown", index)

    def finish(self, size: int, erased: frozenset[str]) -> None:
        """Judge what can be said only at the end of the log; `erased` are digests erased on approval."""
        self._withheld_lines.finish(size)
        self._disclosures.finish(size)
        kind, name = self._scope.kind, f"participant/{self._scope.id}"
        if kind == "participant" and self._inside and name not in self._tag_of:
            detail = f"without the salt of {name} nobody can tell what is missing in it"
            self._report(finding("SALT_MISSING", detail, file="streams.json"))
        for stream, (tag, index) in self._missing_salts.items():
            # Of a participant who was transferred, a site's bundle holds a part, and so no salt.
            if tag not in self._cut:
                self._find("SALT_MISSING", f"the salt of {stream} is not given", index)
        missing = [index for each, index in self._unopened.items() if each not in erased]
        if missing:
            detail = f"{len(missing)} sealed values that the role {self._role} sees are not opened"
            self._find("OPENING_MISSING", detail, missing[0])
        if erased:
            self._judge_erased(erased)
        if not self._inside:
            self._report(finding("SCOPE_EMPTY", f"nothing in the log is of {self._scope}"))
        for tag in sorted(self._unused, key=lambda tag: self._tags[tag]):
            self._report(
                finding(
                    "SALT", f"no leaf has the tag of {self._tags[tag]} under this salt", file="streams.json"
                )
            )

    def _judge_erased(self, erased: frozenset[str]) -> None:
        """Find openings of what was erased on approval; the lines themselves were judged before."""
        for line in disclosure_lines(self._bundle, lambda _: None):
            for disclosure in line["open"].values():
                try:
                    shown = digest(disclosure)
                except FormatError:
                    continue
                if shown in erased:
                    self._find("ERASED_SHOWN", "a value is opened that was erased on approval", line["index"])

    def _find(self, code: str, detail: str, index: int) -> None:
        self._report(finding(code, detail, index=index))

    def _is_inside(self, tag: str, site: str, stream: str | None) -> bool:
        """Tell whether an entry is of the stated scope by its labels, and its stream where it is shown."""
        scope = self._scope
        if scope.kind == "study":
            return True
        if scope.kind == "site":
            return site == scope.id
        named = f"participant/{scope.id}"
        return tag == self._tag_of.get(named) or stream == named

    def _judge_withheld(self, parsed: ParsedEntry, line: dict[str, Any] | None) -> None:
        index, leaf = parsed.index, parsed.leaf
        if line is None or line["statement"] != leaf.statement:
            self._find("WITHHELD_FORM", "a statement is withheld and not listed so", index)
        if leaf.cls == "control":
            self._find("CONTROL_WITHHELD", "a control statement is in every bundle", index)
            return
        if leaf.stream in self._tags:
            self._find("WITHHELD_IN_STREAM", f"the salt of {self._tags[leaf.stream]} is given", index)
        if line is None:
            return
        if line["why"] == "blinded":
            if not self._may_be_blinded(leaf):
                self._find("WITHHELD_BLINDED", f"the role {self._role} sees such a statement", index)
            elif self._is_another_stream(leaf):
                detail = f"the role {self._role} misses one stream with these labels, and this is another"
                self._find("WITHHELD_BLINDED", detail, index)
        if line["why"] == "scope":
            self._cut.add(leaf.stream)
        if line["why"] == "scope" and self._is_inside(leaf.stream, leaf.site, None):
            self._find("WITHHELD_SCOPE", f"the leaf's labels are of {self._scope}", index)

    def _may_be_blinded(self, leaf: Leaf) -> bool:
        """Tell whether the role may not see it: by the leaf, only pharmacy work is told from the rest."""
        if leaf.cls != "restricted":
            return False
        sight = SIGHTS[self._role]
        return not sight.pharmacy if leaf.site else not (sight.safety and sight.access == "all")

    def _is_another_stream(self, leaf: Leaf) -> bool:
        """Tell whether a blinded leaf can't be of the one stream that the role misses by its labels.

        A site has one pharmacy stream, the study one of safety; only of `access/` is there one each month.
        """
        if not leaf.site and SIGHTS[self._role].access != "all":
            return False
        return self._hidden.setdefault(leaf.site, leaf.stream) != leaf.stream

    def _judge_shown(self, index: int, place: Place) -> None:
        remarks = self._remarks.get(place)
        if remarks is None:
            if len(self._remarks) >= MOST_PLACES:
                self._remarks.clear()
            remarks = self._remarks[place] = tuple(self._remarks_on(place, index))
        for code, detail in remarks:
            self._find(code, detail, index)

    def _remarks_on(self, place: Place, index: int) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with showing anything that stands at a place."""
        stream = place.stream
        if place.cls == "restricted" and not self._sees(stream):
            yield "SHOWN_BLINDED", f"the role {self._role} does not see {stream.partition('/')[0]}"
        if self._scope.kind != "study" and place.cls != "control" and not self._in_scope(place):
            yield "SHOWN_SCOPE", f"the statement is not of {self._scope}"
        if not is_salted(stream):
            return
        tag = self._tag_of.get(stream)
        if tag is not None and tag != place.tag:
            yield "TAG", "not the tag that the stream has under the given salt"
        if tag is None and sees_stream(self._role, stream):
            self._missing_salts.setdefault(stream, (place.tag, index))

    def _sees(self, stream: str) -> bool:
        return sees_stream(self._role, stream) or (
            stream.startswith("access/") and SIGHTS[self._role].access == "own"
        )

    def _in_scope(self, place: Place) -> bool:
        if self._scope.kind == "site":
            return place.site == self._scope.id
        return place.stream == f"participant/{self._scope.id}"

    def _judge_openings(
        self, index: int, id_: str, sealed: Mapping[str, str], scopes: Mapping[str, str]
    ) -> dict[str, Any]:
        line = self._disclosures.take(index)
        if line is None and not sealed:
            return {}
        opened: Mapping[str, str] = line["open"] if line else {}
        for path, expected in sealed.items():
            self.sealed += 1
            if path not in opened and (scope := scopes.get(path)) and sees_scope(self._role, scope):
                self._unopened[expected] = index
            if not self._digests.add(expected.encode("ascii"), index):
                self._find("DIGEST_REUSED", f"the digest at {path} occurs twice", index)
        values: dict[str, Any] = {}
        for path, disclosure in opened.items():
            expected = sealed.get(path, "")
            if not expected:
                self._find("DISCLOSURE", "an opening of a path that is not sealed", index)
                continue
            try:
                values[path] = check_disclosure(disclosure, statement_id=id_, path=path, expected=expected)
            except LedgerError as error:
                self._find("DISCLOSURE", f"{error.message} at {path}", index)
                continue
            self.opened += 1
            scope = scopes.get(path)
            if scope is not None and not sees_scope(self._role, scope) and not self._unblinded_one(scope):
                self._find("SHOWN_BLINDED", f"the role {self._role} does not see {scope} values", index)
        return values

    def _unblinded_one(self, scope: str) -> bool:
        return scope == "treatment" and SIGHTS[self._role].treatment == "one"


def scopes_of(statement: Statement) -> dict[str, str]:
    """Return the scope of each sealed path as its type fixes it; left out where it is a target's."""
    return dict(fixed_scopes(statement.type, statement.schema, tuple(statement.sealed)))


@lru_cache(maxsize=1024)
def fixed_scopes(type_: str, schema: int, sealed: tuple[str, ...]) -> Mapping[str, str]:
    """Return the scope of each of some sealed paths as a type fixes it; left out where it is a target's."""
    try:
        known = spec(type_, schema)
    except LedgerError:
        return {}
    return {path: scope for path in sealed if (scope := known.scope_at(path)) not in (None, "target")}
