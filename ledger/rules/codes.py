"""Every rule of conduct that this version judges: its code, its effect, its place in the catalogue, one line.

The codes are shared by the API, by `command.refused` and `breach.detected`, by the verifier and by the docs.
A code is never renamed and never gets another effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Effect(StrEnum):
    """What a broken rule does (catalogue R6).

    FORM: the statement is refused, gate or fact: form, sequence or integrity.
    REFUSE: a gate is refused, a fact is accepted with a breach.
    HOLD: as REFUSE, and it says "not yet": what holds can be lifted.
    FLAG: gate or fact is accepted with a breach.
    """

    FORM = "form"
    REFUSE = "refuse"
    HOLD = "hold"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: stable code, effect, section of the catalogue, and what it asks in one line."""

    code: str
    effect: Effect
    section: str
    text: str


_TABLE: Final = """
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
REFERENCE                form   R5   a statement that names another names an earlier one of the right kind
ID_REUSED                form   R5   an id is used once
CLASS_STREAM             form   R8   no account has the id of a participant
COSIGNATURE_OVERDUE      flag   R9   what needs a second person is cosigned within 24 hours
COSIGNER_NOT_ALLOWED     flag   R9   the second person holds a role that may give this second signature
SAME_PERSON              form   R9   the second person is another one than the first
BREACH_UNFOUNDED         form   R6   a breach that is recorded is one that the rules find
ERASURE_APPROVALS        refuse A    erasure has two approvals of the same digests, one not of the sponsor
STUDY_NOT_REGISTERED     refuse B    the study is registered before anything else of the study
STUDY_REGISTERED_TWICE   refuse B    a ledger is of one study, registered once
PROTOCOL_UNKNOWN         refuse B    the protocol version named is approved
PROTOCOL_SUPERSEDED      flag   B    the protocol version named is the newest approved
DEFINITION_INVALID       refuse B    the definition attached can be read and is of the version named
SITE_UNKNOWN             refuse B    the site is one of the protocol's
INVESTIGATOR_ROLE        refuse B    who is designated investigator holds that role at the site
INVESTIGATOR_PRESENT     refuse B    a site has one principal investigator at a time
NOT_SITE_INVESTIGATOR    refuse B    the site's own investigator delegates and ends delegations
NOT_THE_DELEGATE         refuse B    a delegation is accepted by the delegate, once
DELEGATION_ENDED         refuse B    a delegation is ended once, and not accepted after its end
SITE_NOT_INITIATED       refuse B    a site is initiated before it is activated
SITE_ALREADY_ACTIVE      refuse B    a site is activated once
SITE_CHECKLIST           refuse B    activation needs approval, investigator and an accepted delegation
ENROLMENT_OPENED_TWICE   refuse B    enrolment is opened once while it is open
LIST_COMMITTED           refuse B    a randomization list is committed once, and its parts stand before it
LIST_CONTRIBUTORS        refuse B    two or more persons of different organisations contribute seeds
LIST_PARAMETERS          refuse B    parameters fit the seeds, strata and first list that the ledger holds
LIST_AFTER_ENROLMENT     refuse B    a list is committed before the first participant is enrolled
LIST_BEFORE_BEACON       refuse B    the beacon's tree is not there at the parameters, and is at the list
LIST_REROLLED            flag   B    a list is not made again under another name
DATABASE_NOT_LOCKED      refuse B    a list is opened after the database is locked
PARTICIPANT_UNKNOWN      form   C    a participant is registered before anything else is recorded of them
PARTICIPANT_ID           form   C    the id registered is that of the stream
PARTICIPANT_ENDED        refuse C    no gate opens for who has completed, withdrawn, died or been lost
CONSENT_MISSING          refuse C    consent is in the ledger before what depends on it
CONSENT_WITHDRAWN        refuse C    consent covers what is done or collected, at its time
PROCEDURE_BEFORE_CONSENT flag   C    a procedure takes place after consent, on clinical times
CONSENT_ORDER_UNCLEAR    flag   C    the times tell whether consent came before the procedure
CONSENT_FORM_UNKNOWN     flag   C    the consent form's version, language and hash are an approved one's
CONSENT_FORM_INEFFECTIVE flag   C    the consent form was in effect at that site at that time
CONSENT_INCOMPLETE       flag   C    the participant authorised the use of data and received a copy
CRITERION_UNKNOWN        form   C    the criterion is one of the protocol version in force
CRITERION_NOT_APPLICABLE flag   C    only a conditional criterion is not applicable
CRITERIA_INCOMPLETE      refuse C    every criterion of the protocol version in force is assessed
CRITERION_FAILED         refuse C    no criterion fails
ELIGIBILITY_DIGEST       refuse C    the digest signed is that of the latest assessments
ELIGIBILITY_ROLE         refuse C    eligibility is confirmed by a physician delegated to do so
SCREENING_WINDOW         refuse C    eligibility is confirmed within the days of screening
SCREENING_FAILED         refuse C    who failed screening goes on only in an authorised rescreening
NOT_ELIGIBLE             refuse D    eligibility is confirmed, unchanged since and not expired
ENROLMENT_NOT_OPEN       refuse D    enrolment is open at the site
ENROLMENT_CAP            refuse D    fewer participants are randomized than the cap
RANDOMIZED_TWICE         refuse D    a participant is randomized once for each stage
LIST_NOT_COMMITTED       refuse D    the randomization list is committed
STRATUM                  refuse D    the stratum is the participant's site and one of the list's
ALLOCATION_ORDER         form   D    an allocation answers a request with the next unused index of its stratum
RANDOMIZATION_WINDOW     flag   D    randomization falls on the days that the protocol allows before day 1
NOT_RANDOMIZED           refuse E    a participant is randomized before infusions are ordered or started
ON_HOLD                  hold   E    nothing holds the participant's treatment
INFUSION_UNKNOWN         refuse E    the infusion is one of the protocol's
PRESCRIBER_NOT_DELEGATED refuse E    who orders an infusion is delegated to do so
WEIGHT_OUTDATED          refuse E    the weight was taken within the days that the protocol allows
ORDER_MISSING            refuse E    an infusion is ordered before it is started
ORDER_REPEATED           refuse E    an infusion that has been started is not ordered again
INFUSION_REPEATED        refuse E    an infusion is started once
INFUSION_RUNNING         refuse E    one infusion runs at a time
INFUSION_GAP             hold   E    the least time since the last infusion has passed
LABEL_MISMATCH           refuse E    the label at the pump is that of the dose received for this infusion
DOSE_EXPIRED             refuse E    a dose is used before its beyond-use time
INFUSION_STATE           flag   E    an infusion runs when interrupted or completed, waits when resumed
DOSE_WITHOUT_INFUSION    flag   E    a dose belongs to an infusion that was started
DOSE_DIFFERS             flag   E    volume, per cent and times of a dose agree with the infusion's record
DOSE_OUT_OF_TOLERANCE    flag   E    a completed infusion gave the planned volume within the tolerance
PROHIBITED_MEDICATION    flag   F    the medication is not of a prohibited class
VISIT_UNKNOWN            form   F    the visit is one of the protocol's
VISIT_REPEATED           flag   F    a visit is started, completed or missed once, not done and missed
VISIT_NOT_STARTED        flag   F    a visit is started before it is completed
OUTSIDE_WINDOW           flag   F    a visit takes place in its window of calendar days at the site
INSTRUMENT_UNKNOWN       flag   F    the instrument and its version are the protocol's
SCORE_MISMATCH           flag   F    the total is what the items give by the protocol's scoring
RATER_UNBLINDED          flag   F    a rater took no part in this participant's infusions
SERIOUS_CRITERIA         flag   G    an event is serious exactly when a criterion of seriousness is met
CAUSALITY_INCOMPLETE     flag   G    causality is judged once for each product of the protocol
SCALE_UNKNOWN            flag   G    the grade is on the protocol's scale and version
ADVERSE_EVENT_UNKNOWN    form   G    the adverse event was reported
ADVERSE_EVENT_VERSION    form   G    versions of an adverse event follow one another without a gap
CORRECTION_PATH          form   H    a correction names a value in data, occurred_at, originator or protocol
CORRECTION_OLD_MISMATCH  form   H    old equals the value after the latest correction
CORRECTION_MALFORMED     form   H    the corrected statement has the form of its type
CORRECTION_SEALED        form   H    a sealed value is corrected by sealed values, and no other is
CORRECTION_TARGET        form   H    a correction names an original that can be corrected and stands
CORRECTION_ROLE          form   H    the site corrects; a monitor or the sponsor does not
NOT_VOIDABLE             form   H    the record is of a kind that can be voided, and stands
COMPLETED_EARLY          flag   I    every required visit is done or missed before completion
CONTACT_ATTEMPTS         flag   I    the attempts and methods that the protocol asks for were made
ALREADY_ENDED            flag   I    a participant's disposition is recorded once
"""


def _parse(table: str) -> Mapping[str, Rule]:
    rules = {}
    for line in table.strip().splitlines():
        code, effect, section, text = line.split(maxsplit=3)
        rules[code] = Rule(code=code, effect=Effect(effect), section=section, text=text)
    return MappingProxyType(rules)


RULES: Final = _parse(_TABLE)


def codes() -> Mapping[str, Rule]:
    """Return every rule by its code, in the order of the catalogue."""
    return RULES
