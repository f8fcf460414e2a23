"""Rules of visits and observations (catalogue F): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
PROHIBITED_MEDICATION    flag   F    the medication is not of a prohibited class
MEDICATION_REPEATED      flag   F    a medication's label is used once
MEDICATION_UNKNOWN       flag   F    a medication was started before it is changed or stopped
MEDICATION_DATES         flag   F    a medication is changed and stopped after its start, once stopped no more
VISIT_UNKNOWN            form   F    the visit is one of the protocol's
VISIT_REPEATED           flag   F    a visit is started, completed or missed once, not done and missed
VISIT_NOT_STARTED        flag   F    a visit is started before it is completed
OUTSIDE_WINDOW           flag   F    a visit takes place in its window of calendar days at the site
INSTRUMENT_UNKNOWN       flag   F    the instrument and its version are the protocol's
SCORE_MISMATCH           flag   F    the total is what the items give by the protocol's scoring
RATER_UNBLINDED          flag   F    a rater took no part in this participant's infusions
SAMPLE_REPEATED          flag   F    a sample's label is used once
SAMPLE_UNKNOWN           flag   F    a result is of a sample that was collected
RESULT_UNKNOWN           flag   F    what is reviewed is a result of this participant
UNBLINDING_ANALYTE_PLAIN form   F    a value that tells the treatment is in the sealed list
DIARY_UNKNOWN            flag   F    the diary, its instrument and version are the protocol's
DIARY_DAY                flag   F    a diary is for a day on which it is due, and entered while that is open
DIARY_REPEATED           flag   F    one day's diary is submitted or missed once
DIARY_CLOCK              flag   F    a diary is entered before it is uploaded, by a clock that goes right
DIARY_BACKFILLED         flag   F    diaries of several days are not entered together just before a visit
SUICIDALITY_UNACKNOWLEDGED hold F    an alert of suicidality is acknowledged in time; gates wait for it
ALERT_UNKNOWN            flag   F    what is acknowledged is an alert of this participant
"""
