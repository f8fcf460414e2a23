"""Rules of visits and observations (catalogue F): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
PROHIBITED_MEDICATION    flag   F    the medication is not of a prohibited class
VISIT_UNKNOWN            form   F    the visit is one of the protocol's
VISIT_REPEATED           flag   F    a visit is started, completed or missed once, not done and missed
VISIT_NOT_STARTED        flag   F    a visit is started before it is completed
OUTSIDE_WINDOW           flag   F    a visit takes place in its window of calendar days at the site
INSTRUMENT_UNKNOWN       flag   F    the instrument and its version are the protocol's
SCORE_MISMATCH           flag   F    the total is what the items give by the protocol's scoring
RATER_UNBLINDED          flag   F    a rater took no part in this participant's infusions
"""
