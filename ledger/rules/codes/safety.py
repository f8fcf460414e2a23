"""Rules of safety (catalogue G): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
SERIOUS_CRITERIA         flag   G    an event is serious exactly when a criterion of seriousness is met
CAUSALITY_INCOMPLETE     flag   G    causality is judged once for each product of the protocol
SCALE_UNKNOWN            flag   G    the grade is on the protocol's scale and version
ADVERSE_EVENT_UNKNOWN    form   G    the adverse event was reported
ADVERSE_EVENT_VERSION    form   G    versions of an adverse event follow one another without a gap
ADVERSE_EVENT_NULLIFIED  flag   G    nothing more is said of an adverse event that was none
ASSESSOR_ROLE            flag   G    a physician judges for the investigator, the monitor for the sponsor
SERIOUSNESS_OLD          flag   G    the seriousness that is changed is the one that this assessor stood by
SPONSOR_DOWNGRADE        flag   G    the sponsor raises seriousness and never lowers it; both judgements stay
NOT_SERIOUS              flag   G    what is reported to the sponsor as serious is a serious event
SAE_VERSION              flag   G    a report to the sponsor or a closure names a version that there is
SAE_REPORT_LATE          flag   G    a serious event is reported to the sponsor by the study's safety clock
CASE_CLOSED_EARLY        flag   G    a case is closed when its event has ended and was reported
DEATH_NOT_REPORTED       flag   G    an adverse event that ended in death comes with a report of the death
DEATH_REPEATED           flag   G    a death is reported once
DEATH_EVENT              flag   G    the adverse event that a death is laid to was reported
PREGNANCY_REPEATED       flag   G    a pregnancy is reported once under its id
PREGNANCY_UNKNOWN        flag   G    an outcome is of a pregnancy that was reported
SUSAR_REPORT             flag   G    an assessment names a report to the sponsor
CLOCK_UNKNOWN            flag   G    the clock of an expedited report is one of the study definition
EXPEDITED_UNASKED        flag   G    an expedited report names an assessment that asks for one
EXPEDITED_REPORT_LATE    flag   G    an expedited report is submitted by the study's safety clock
DATA_CUT_AHEAD           flag   G    a committee has seen data that were in the log
"""
