"""Rules of the general rules R1-R9: code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
TIME_IN_FUTURE           form   R1   occurred_at can mean an instant at most 5 minutes after recording
LOCAL_TIME_NONEXISTENT   form   R1   a local time exists in the zone of its site
LATE_ENTRY               flag   R1   recorded within the hours that policy or protocol allow after it occurred
SIGNED_AT_APART          flag   R1   the signer's clock and the time of recording differ by at most 5 minutes
NOT_DELEGATED            flag   R2b  who performed it was delegated the task at the site when it occurred
NOT_TRAINED              flag   R2b  who performed it was trained on the protocol version in force by then
DELEGATION_BACKDATED     flag   R2b  a delegation does not begin before it is recorded
SITE_NOT_ACTIVE          refuse R3   a gate needs an active site
IRB_MISSING              refuse R3   a gate needs an approval by the review board
IRB_LAPSED               hold   R3   a gate needs an approval that has not ended
IRB_SUSPENDED            hold   R3   a gate needs an approval that is not suspended
STUDY_HALTED             hold   R3   nobody is enrolled, randomized, dispensed to or started in a halt
STUDY_CLOSED             refuse R3   no gate opens in a closed study
ENROLMENT_PAUSED         hold   R3   nobody is registered or randomized while enrolment is paused
REFERENCE                form   R5   a statement that names another names an earlier one of the right kind
ID_REUSED                form   R5   an id is used once
CLASS_STREAM             form   R8   no account has the id of a participant
COSIGNATURE_OVERDUE      flag   R9   what needs a second person is cosigned within 24 hours
COSIGNER_NOT_ALLOWED     flag   R9   the second person holds a role that may give this second signature
SAME_PERSON              form   R9   the second person is another one than the first
BREACH_UNFOUNDED         form   R6   a breach that is recorded is one that the rules find
"""
