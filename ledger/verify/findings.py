"""The closed set of what the verifier can find (record-format.md §10).

A finding speaks against one of the three verdicts; a note is reported and speaks against none. The table is
published as `docs/spec/findings.csv`: code, verdict, section, meaning.

    python -m ledger.verify.findings > docs/spec/findings.csv
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What a code speaks against."""

    INTEGRITY = "integrity"
    COMPLETENESS = "completeness"
    CONDUCT = "conduct"
    UNUSABLE = "unusable"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One code: the verdict it speaks against, the section of record-format.md, what it means."""

    code: str
    verdict: Verdict
    section: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found: its code, the index or file where there is one, and one sentence without values."""

    code: str
    index: int | None
    file: str | None
    detail: str

    @property
    def verdict(self) -> Verdict:
        """The verdict that this finding speaks against."""
        return CODES[self.code].verdict


_TABLE: Final = """
BUNDLE|unusable|9|there is no bundle at this path
BUNDLE_FORM|unusable|9|links, special files, or names that a bundle can't have
ZIP_FORM|integrity|9|the zip is not of the one allowed form, or a checksum in it is wrong
UNJUDGED|unusable|10|the verifier itself failed on this input, which is a defect of it: nothing is passed
UNPINNED|unusable|5|no ledger id was given: what holds, holds for an unnamed ledger

NOTE|integrity|5|the checkpoint is not a well-formed note of this origin
LOG_SIGNATURE|integrity|5|a signature of the log that the policy demands is missing or wrong
QUORUM|integrity|5|fewer witnesses cosigned than the policy demands
STAMP|integrity|5|a time stamp is not over this checkpoint, or not by the authority that was given
LEDGER_ID|integrity|5|leaf 0 is not the one that the ledger id names
LOG_KEYS|integrity|5|leaf 0 does not name the log keys that the policy lists
PREVIOUS|integrity|5|the earlier checkpoint that the auditor holds is not of this log's past
CONSISTENCY|integrity|5|a consistency proof in the bundle does not hold

FILE_MISSING|integrity|9|a file that the bundle must have is missing
FILE_EXTRA|integrity|9|a file that the bundle must not have
FILE_FORM|integrity|9|a file of the bundle is not of its exact form
FILE_SIZE|integrity|9|a file is longer than its kind can be
FORK|integrity|5|the log signed another tree of a size that this log has
FORK_UNFOUNDED|integrity|9|what is kept as proof of a fork proves none
FILE_UNJUDGED|integrity|9|a file that may be there and that this version can't judge

ROOT|integrity|5|the leaves do not hash to the root of the checkpoint
TILE|integrity|5|a tile does not hold the hashes of the leaves below it
ENTRY_BUNDLE|integrity|5|an entry bundle can't be split into its leaves
LEAF|integrity|4|a leaf is not of the closed canonical form
INDEX|integrity|4|an index is not the position in the log, or lies in the future
AT|integrity|4|a leaf is timed before the leaf that it follows

EPOCH_OLD|integrity|6|the older epoch that was given does not verify
EPOCH_LEDGER|integrity|6|leaf 0 continues another log than the one given, or its origin does not follow
EPOCH_ROOT|integrity|6|the older log never had the root that leaf 0 continues at that size
EPOCH_SIGNERS|integrity|6|leaf 0 is not signed by root keys of the older log, as its threshold asks
EPOCH_KEYS|integrity|6|a log key of the older epoch is used again
EPOCH_TWICE|integrity|6|two logs continue the same one, both signed by its root keys

PAYLOAD_LINES|integrity|9|a payload file does not have one line for each leaf
STATEMENT_HASH|integrity|4|a statement is not the one that its leaf commits to
STATEMENT|integrity|2|a statement is not of the closed canonical form
LOG|integrity|2|a statement belongs to another log
UNKNOWN_TYPE|integrity|6|a type or schema that the authority table does not have
SEALED_PATHS|integrity|7|the sealed paths are not exactly those of the type
DATA|integrity|11|`data` or the sealed paths are not of the form of their type and schema
LABELS|integrity|4|class, site, stream or payload type of a leaf are not its statement's
CLASS|integrity|2|a class that the type does not have in this stream
CLASS_STREAM|integrity|4|a control statement in a salted stream
STREAM|integrity|2|a type in a stream that it does not stand in
SITE|integrity|2|a site that is not the stream's
TAG|integrity|4|a tag is not the one of the stream and its salt
TWO_TAGS|integrity|4|a stream has two tags
SEQ|integrity|2|a sequence number is not one more than the stream's last
PREV|integrity|2|a statement does not name the one before it in its stream
ID_REUSED|integrity|2|a statement id occurs twice
REFERENCE|integrity|10|a statement names an event that is not an earlier one

SEEN_SIZE|integrity|2|a signer says to have seen a tree that did not exist yet, or nothing
SEEN_ROOT|integrity|2|a signer says to have seen a root that this log never had: evidence of a fork
SEEN_BACK|integrity|2|a key has seen less than it had seen before

SIGNATURE_SET|integrity|3|the signatures are not exactly those of `key` and `with`, in that order
SIGNATURE|integrity|3|a signature does not hold over the statement
WEAK_KEY|integrity|3|a key that may not be used
KEY_ENCODING|integrity|3|a key that is not in its one encoding
KEY_ID|integrity|3|a key id that is not its key's
KEY_ALG|integrity|3|a key used or brought in for another algorithm
KEY_UNKNOWN|integrity|6|a key that the log does not know
KEY_REVOKED|integrity|6|a key that does not count at this index any more
KEY_ALREADY_ENROLLED|integrity|3|a key that was enrolled before
KEY_ORDER|integrity|6|a key confirmed by one that is not earlier
GENESIS|integrity|6|the log does not begin as it must
GRADE|integrity|3|a grade of key that the policy does not allow here
ACCOUNT_INACTIVE|integrity|6|a person without an active account
ACTOR|integrity|6|person, printed name or organisation are not those of the key's holder
IDENTITY_UNVERIFIED|integrity|6|a person whose identity was not verified
POLICY_UNACKNOWLEDGED|integrity|6|a person who had not acknowledged the signature policy
PERSON_UNKNOWN|integrity|6|a person whom the log does not know
PERSON_ID_REUSED|integrity|6|an id of a person used again
ROLE_UNKNOWN|integrity|6|a role that the catalogue does not have, or that can't be granted
ROLE_NOT_HELD|integrity|6|a role that the person does not hold
SITE_NOT_HELD|integrity|6|a role that the person does not hold on this site
TRANSFER_SIGNERS|integrity|6|a transfer without the investigator of the site that takes over
ROLE_NOT_ALLOWED|integrity|6|a role that may not sign this type
MEANING_NOT_ALLOWED|integrity|6|a meaning that the role may not sign this type with
ROLE_CONFLICT|integrity|6|roles that exclude each other
SELF_GRANT|integrity|6|a role granted to oneself
HOLDER_ONLY|integrity|6|a type that only the holder signs
ATTESTATION|integrity|6|an attestation by a person, or another meaning by the service
PROOF_OF_POSSESSION|integrity|6|a new key that did not sign its own enrolment
ROTATION_SIGNERS|integrity|6|a rotation that the right keys did not sign
ROOT_KEYS|integrity|6|root keys that are not of different persons
THRESHOLD|integrity|6|too few root persons signed
SAME_PERSON|integrity|10|two people are asked for and one did both
AUTHORITY|integrity|6|authority as of this index refuses the statement for another reason

DISCLOSURE|integrity|7|an opening is not the one that the statement commits to at that path
DIGEST_REUSED|integrity|7|a digest of a sealed value occurs twice
ATTACHMENT|integrity|4|an attachment is not of the hash or size that names it
CONTROL_WITHHELD|integrity|9|a control statement is withheld
WITHHELD_FORM|integrity|9|the list of withheld statements does not match the empty lines

EPOCH_MISSING|completeness|6|the log continues an older one that was not given
EPOCH_BESIDE|completeness|6|a bundle that was given beside stands for no log, so a rival may hide in it
SCOPE_MISMATCH|completeness|9|the bundle names another scope, role or size than the auditor
SCOPE_EMPTY|completeness|10|nothing in the log bears the labels of the stated scope
WITHHELD_BLINDED|completeness|9|withheld as blinded although the role sees it or the class is not restricted
WITHHELD_SCOPE|completeness|9|withheld as outside of the scope although it is inside
WITHHELD_IN_STREAM|completeness|9|a statement is withheld in a stream whose salt is given
SHOWN_BLINDED|completeness|9|a statement or opening is shown that the stated role does not see
SHOWN_SCOPE|completeness|9|a statement is shown that lies outside of the stated scope
SALT|completeness|9|a salt is given for a stream that is not in the log
SALT_MISSING|completeness|9|the salt of a stream that is shown whole is not given
ATTACHMENT_MISSING|completeness|4|a named attachment is not in the bundle
ERASED_SHOWN|completeness|7|a value is opened that was erased on approval
OUTBOX_MISSING|completeness|10|a statement that the auditor holds was never recorded
OUTBOX_FORM|completeness|10|a file of the outbox is neither a statement nor a receipt of this log

EPOCH_CONDUCT|conduct|6|conduct of the older epoch that was given does not hold
UNRECORDED_BREACH|conduct|10|a rule of the catalogue is broken and no breach is recorded
REFUSABLE|conduct|10|a gate stands in the log that its rule refuses; it changes nothing in the fold
RULES_UNKNOWN|conduct|10|a release puts a version of the rules to use that this verifier cannot judge by
BREACH_UNFOUNDED|conduct|10|a breach is recorded that the rules do not give
RECORDED_BREACH|note|10|a breach that the ledger recorded itself; with --strict-conduct it counts
BREACH_LATE|note|10|a breach is recorded in a later commit than the one that brought it to light
NOT_JUDGED|note|10|a rule over what is sealed or withheld here; with --strict-conduct it counts

LIST_SEED|integrity|8|a seed is not of a separate contributor, or not the one committed to
LIST_PARAMETERS|integrity|8|parameters of a list that the format does not allow
LIST_BEACON|integrity|8|the beacon is not the one that the parameters name
LIST_COMMITMENT|integrity|8|a list is committed without parameters, not by its holder, or of another size
LIST_TWICE|integrity|8|a list is committed a second time
LIST_LATE|integrity|8|a list is committed after the first allocation
LIST_OPENING|integrity|8|the opened seeds do not give the committed list
SLOT_REQUEST|integrity|8|an allocation does not answer one earlier request of the same participant
SLOT_ORDER|integrity|8|a slot was skipped, used twice, or is not of the stratum
STAGE_TWO_INDEX|integrity|8|stage 2 does not repeat the participant's own index of stage 1
DRAWN_AGAIN|integrity|8|a participant was allocated twice in one stage
SLOT_PROOF|integrity|8|a slot's commitment is not in the committed list
ARM_NOT_SLOT|integrity|8|an opened arm is not its slot's
LIST_KNOWN_TO_OPERATOR|note|8|the list holder is of the organisation that runs the service
LIST_REROLLED|note|8|a list was begun again under another name
BEACON_BY_OPERATOR|note|8|the beacon rests on the log alone, without an independent witness
BEACON_UNJUDGED|note|8|the cosignature that the beacon comes from is not in the bundle

SUSPECT|note|6|statements signed since the compromise of a key revoked for it, and not reaffirmed
ONE_SIDED_IDENTITY|note|6|persons all of whose keys were endorsed by one organisation alone
OPENING_MISSING|note|7|sealed values that the role sees are neither opened here nor erased on approval
ERASED|note|7|sealed values were erased, on whose approvals
ERASURE_PENDING|note|7|a backup that holds an erased value has not been destroyed
OPERATOR_UNBLINDED|note|7|nothing in the log shows that allocations are kept from the operator

EPOCH_APART|note|6|a log that was given beside is no rival: what it is instead
EPOCH_VOID|note|6|statements of the older epoch past the size that is continued: they count for nothing

CLASSICAL|note|5|the post-quantum signature of the log was waived
NO_QUORUM|note|5|the policy asks for no witness: nobody but the log vouches that there is one history
STAMP_UNJUDGED|note|5|a time stamp is in the bundle and no authority to judge it by was given
STAMP_MISSING|note|5|an authority was given and the bundle has no time stamp
"""


def _rows() -> Iterator[Code]:
    for line in _TABLE.strip().splitlines():
        if line:
            code, verdict, section, meaning = line.split("|")
            yield Code(code=code, verdict=Verdict(verdict), section=section, meaning=meaning)


CODES: Final = {row.code: row for row in _rows()}
"""Every code there is, in the order of the table."""

ALIASES: Final = {
    "CANONICAL": "STATEMENT",
    "SIZE": "STATEMENT",
    "TIME": "STATEMENT",
    "EVENT_HASH": "STATEMENT",
    "ASSERTION": "SIGNATURE",
}
"""Codes of the parsers that are reported under the code of what they parse."""


def finding(code: str, detail: str, *, index: int | None = None, file: str | None = None) -> Finding:
    """Make a finding; a code of another module that the table lacks is reported as `AUTHORITY`."""
    code = ALIASES.get(code, code)
    if code not in CODES:
        return Finding(code="AUTHORITY", index=index, file=file, detail=f"{code}: {detail}")
    return Finding(code=code, index=index, file=file, detail=detail)


def findings_csv() -> str:
    """Write the table as `docs/spec/findings.csv` has it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("code", "verdict", "section", "meaning"))
    for row in CODES.values():
        writer.writerow((row.code, row.verdict.value, row.section, row.meaning))
    return out.getvalue()


if __name__ == "__main__":
    sys.stdout.write(findings_csv())
