"""The rules as a table for readers: `python -m ledger.rules.table > docs/spec/rules.csv`."""

from __future__ import annotations

import csv
import io
import sys

from ledger.rules.codes import codes

HEADER = ("code", "effect", "section", "since", "rule")


def table() -> str:
    """Return every rule as CSV; `since` is the version of the rules that it came with."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for rule in codes().values():
        writer.writerow((rule.code, rule.effect.value, rule.section, rule.since, rule.text))
    return out.getvalue()


if __name__ == "__main__":
    sys.stdout.write(table())
