"""Rules of randomization and blinding (catalogue D): one line each."""

from typing import Final

TABLE: Final = """
NOT_ELIGIBLE             refuse D    eligibility is confirmed, unchanged since and not expired
ENROLMENT_NOT_OPEN       refuse D    enrolment is open at the site
ENROLMENT_CAP            refuse D    fewer participants are randomized than the cap
RANDOMIZED_TWICE         refuse D    a participant is randomized once for each stage
LIST_NOT_COMMITTED       refuse D    the randomization list is committed
STRATUM                  refuse D    the stratum is of the list, the participant's site, later that of stage 1
STAGE_NOT_PLANNED        refuse D    the protocol has the stage that is asked for
LIST_OF_STAGE            refuse D    stage 1 draws from a first list, stage 2 from the list made upon that one
NOT_ON_TREATMENT         refuse D    stage 2 is for who is still on treatment
ALLOCATION_ORDER         form   D    an allocation answers a request with the next unused index of its stratum
RANDOMIZATION_WINDOW     flag   D    randomization falls on the days that the protocol allows for its stage
STAGE_TWO_MISSING        flag   D    nobody goes on past the visit of the second stage without its allocation
BLIND_GUESS_MISSING      flag   D    who is asked for a guess of the arm has given it by then
BLIND_GUESS_UNASKED      flag   D    a guess of the arm is given at the visits and by whom the protocol asks
BLIND_GUESS_LATE         flag   D    a guess before the second stage is given before its allocation
BLIND_GUESS_REPEATED     flag   D    a guess of the arm is given once for each visit
DISCLOSED_TO_BLINDED     flag   D    until the database lock, who learns allocations holds an unblinded role
ALLOCATION_NOT_CURRENT   flag   D    the allocation named is the participant's newest
ENVELOPE_REPEATED        flag   D    an envelope's id is used once
ENVELOPE_UNKNOWN         flag   D    the envelope named was issued, for this participant
ENVELOPE_SEAL            flag   D    the seal found on an envelope is the one that it was issued with
ENVELOPE_UNEXPLAINED     flag   D    the unblinding is recorded by which an envelope is open or missing
DRILL_UNANSWERED         flag   D    an emergency unblinding that is tried out is answered
"""
