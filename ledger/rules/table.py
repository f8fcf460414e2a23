"""The rules as a table for readers: `python -m ledger.rules.table > docs/spec/rules.csv`."""

from __future__ import annotations

import csv
import io
import sys

from ledger.rules.codes import codes

HEADER = ("code", "effect", "section", "rule")


def table() -> str:
    """Return code, effect, section of the catalogue and one line for every rule, as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for rule in codes().values():
        writer.writerow((rule.code, rule.effect.value, rule.section, rule.text))
    return out.getvalue()


if __name__ == "__main__":
    sys.stdout.write(table())
