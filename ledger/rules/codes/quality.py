"""Rules of data quality, monitoring, signature, lock (catalogue H): one line each."""

from typing import Final

TABLE: Final = """
CORRECTION_PATH          form   H    a correction names a value in data, occurred_at, originator or protocol
CORRECTION_OLD_MISMATCH  form   H    old equals the value after the latest correction
CORRECTION_MALFORMED     form   H    the corrected statement has the form of its type
CORRECTION_SEALED        form   H    a sealed value is corrected by sealed values, and no other is
CORRECTION_TARGET        form   H    a correction names an original that can be corrected and stands
CORRECTION_ROLE          form   H    the site corrects; a monitor or the sponsor does not
NOT_VOIDABLE             form   H    the record is of a kind that can be voided, and stands
"""
