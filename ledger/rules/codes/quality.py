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
PROPOSAL_DIFFERS         form   H    a correction that cites a proposal makes the change that was proposed
FIELD_UNKNOWN            form   H    what is asked about or verified is a value of the record named
QUERY_ROLE               form   H    a query is answered by the site, reopened and closed in its opener's role
QUERY_STATE              form   H    a query is answered when open, reopened after an answer, closed once
REVIEW_RANGE             form   H    a review of the trail is of entries that are there
SIGNED_DIGEST            form   H    the digest signed is that of the scope below the index named
ENDORSER                 form   H    the final endorsement is the investigator's
QUERIES_OPEN             form   H    no query is open at the final endorsement, and none at the lock
AUTHOR_UNBLINDED         form   R8   who knows the treatment writes about no record where blinded roles read
FORM_FROZEN              form   R4   a frozen record is corrected or voided after it is unfrozen
PARTICIPANT_LOCKED       form   R4   a locked participant takes no gate and no ordinary record
DATABASE_LOCKED          form   R4   a locked database takes no gate and no ordinary record
LOCK_PASSED              flag   R4   what is always open is recorded before the lock; else it reopens it
LOCK_STATE               refuse H    what is locked or frozen is open before, and the reverse
NOT_ENDORSED             refuse H    the final endorsement is there and nothing entered its scope since
SECOND_PERSON_MISSING    refuse H    nothing waits for a second person at the lock
SAFETY_NOT_RECONCILED    refuse H    every serious adverse event is reported and its case closed at the lock
PHARMACY_NOT_RECONCILED  refuse H    the participant's doses are accounted for at the lock
PARTICIPANTS_NOT_LOCKED  refuse H    every participant is locked, and no lock of theirs was passed
TRAIL_NOT_REVIEWED       refuse H    the trail is reviewed without a gap up to the last participant's lock
UNBLINDED_NOT_LISTED     refuse H    the lock of the database lists who was unblinded by then
CAPA_STATE               form   H    a corrective and preventive action is closed once, in its own stream
ARCHIVE_DIFFERS          flag   H    an archive that is read back is readable and has the hash that was sealed
COPY_DIFFERS             flag   H    a certified copy equals what was issued
RETENTION_SHORTER        flag   H    a retention rule does not end before one that stands: the longest wins
"""
