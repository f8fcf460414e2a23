"""Rules of consent and eligibility (catalogue C): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
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
CRITERION_CONTRADICTED   flag   C    an assessment agrees with the newest value that its check reads
CRITERIA_INCOMPLETE      refuse C    every criterion of the protocol version in force is assessed
CRITERION_FAILED         refuse C    no criterion fails
ELIGIBILITY_DIGEST       refuse C    the digest signed is that of the latest assessments
ELIGIBILITY_ROLE         refuse C    eligibility is confirmed by a physician delegated to do so
SCREENING_WINDOW         refuse C    eligibility is confirmed within the days of screening
SUPERIOR_PRESENT         hold   C    no superior is present when consent is discussed
CONSENT_DEFECT           flag   C    a consent and its discussion have no defect
CONSENT_HELD             hold   C    consent has no defect that waits for re-consent or a decision
RECONSENT_FORM           flag   C    re-consent is on the form version that was asked for
RECONSENT_OVERDUE        hold   C    a re-consent that is asked for is there by its last day
PRESCREENING_NUMBER      flag   C    the count of pre-screening at a site goes on by one
ELIGIBILITY_REVOKED      hold   C    eligibility stands, or it was decided that dosing continues
DOSING_DECISION          flag   C    who is found ineligible once enrolled has a decision on dosing
RESCREENING              refuse C    who is rescreened failed the newest screening and is not enrolled
PREGNANCY_TEST           hold   C    the newest pregnancy test is negative and in its window
TRANSFER_SITES           form   C    a transfer goes from the participant's site to another of the study
TRANSFER_CONSENT         refuse C    the consent at the new site is complete and on a form in effect there
TRANSFER_CONSENTER       flag   C    who took the consent at the new site was delegated to do so there
SCREENING_FAILED         refuse C    who failed screening goes on only in an authorised rescreening
"""
