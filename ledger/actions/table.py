"""The authority table as a file (record-format.md §6).

    python -m ledger.actions.table > docs/spec/authority.csv

    type,schema,effect,class,stream,roles,meanings,sealed
    infusion.ordered,1,gate,open,participant,investigator sub_investigator,approval authorship,

One line for each set of roles of a type that sign it with the same meanings in the same kinds of stream; what
is several in a cell is sorted and separated by spaces. The class of a type that stands in several kinds of
stream follows the stream.
`sealed` holds `path=scope`; scope `target` is that of the value that a correction corrects, and
`/reason/text=freetext` comes on top wherever a statement has a reason.
A type that is not in the table is refused (`UNKNOWN_TYPE`).
"""

from __future__ import annotations

import csv
import io
import sys
from typing import Final

from ledger.actions import ActionSpec, all_specs

COLUMNS: Final = ("type", "schema", "effect", "class", "stream", "roles", "meanings", "sealed")


def rows(spec: ActionSpec) -> list[tuple[str, ...]]:
    """Return the lines of one type and schema, ordered by their roles."""
    streams_of: dict[tuple[frozenset[str], tuple[str, ...]], list[str]] = {}
    for stream in spec.streams:
        by_meanings: dict[frozenset[str], list[str]] = {}
        for role, meanings in spec.roles_in(stream).items():
            by_meanings.setdefault(meanings, []).append(role)
        for meanings, roles in by_meanings.items():
            streams_of.setdefault((meanings, tuple(sorted(roles))), []).append(stream)
    sealed = " ".join(f"{path}={scope}" for path, scope in sorted(spec.sealed.items()))
    return sorted(
        (
            spec.type,
            str(spec.schema),
            spec.effect.value,
            spec.cls,
            " ".join(sorted(streams)),
            " ".join(roles),
            " ".join(sorted(meanings)),
            sealed,
        )
        for (meanings, roles), streams in streams_of.items()
    )


def authority_csv() -> str:
    """Return the whole table, byte for byte as docs/spec/authority.csv holds it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for spec in all_specs():
        writer.writerows(rows(spec))
    return text.getvalue()


if __name__ == "__main__":
    sys.stdout.write(authority_csv())
