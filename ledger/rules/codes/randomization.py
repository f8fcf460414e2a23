"""Rules of randomization and blinding (catalogue D): one line each."""

from typing import Final

TABLE: Final = """
NOT_ELIGIBLE             refuse D    eligibility is confirmed, unchanged since and not expired
ENROLMENT_NOT_OPEN       refuse D    enrolment is open at the site
ENROLMENT_CAP            refuse D    fewer participants are randomized than the cap
RANDOMIZED_TWICE         refuse D    a participant is randomized once for each stage
LIST_NOT_COMMITTED       refuse D    the randomization list is committed
STRATUM                  refuse D    the stratum is the participant's site and one of the list's
ALLOCATION_ORDER         form   D    an allocation answers a request with the next unused index of its stratum
RANDOMIZATION_WINDOW     flag   D    randomization falls on the days that the protocol allows before day 1
"""
