"""Rules of study and sites (catalogue B): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
STUDY_NOT_REGISTERED     refuse B    the study is registered before anything else of the study
STUDY_REGISTERED_TWICE   refuse B    a ledger is of one study, registered once
PROTOCOL_UNKNOWN         refuse B    the protocol version named is approved
PROTOCOL_SUPERSEDED      flag   B    the protocol version named is the one in force for the participant
AMENDMENT_NOT_LATER      refuse B    a version is activated at a site where an earlier one is in force
AMENDMENT_NOT_APPROVED   refuse B    an amendment is activated with the site's approval of it in force
AMENDMENT_WITHOUT_FORM   refuse B    an amendment that needs re-consent is activated with a newer consent form
AMENDMENT_UNTRAINED      refuse B    an amendment is activated when the site's staff are trained on it
CONSENT_FORM_NOT_APPROVED refuse B   a consent form that is retired is an approved one
CONSENT_FORM_RETIRED     refuse B    a consent form is retired once
DEFINITION_INVALID       refuse B    the definition attached can be read and is of the version named
SITE_UNKNOWN             refuse B    the site is one of the protocol's
INVESTIGATOR_ROLE        refuse B    who is designated investigator holds that role at the site
INVESTIGATOR_PRESENT     refuse B    a site has one principal investigator at a time
INVESTIGATOR_MISSING     refuse B    a site that is handed over has a principal investigator
NOT_SITE_INVESTIGATOR    refuse B    the site's own investigator delegates and ends delegations
NOT_THE_DELEGATE         refuse B    a delegation is accepted by the delegate, once
DELEGATION_ENDED         refuse B    a delegation is ended once, and not accepted after its end
SITE_NOT_INITIATED       refuse B    a site is initiated before it is activated
SITE_ALREADY_ACTIVE      refuse B    a site is activated while it is not active
SITE_CLOSED              refuse B    a site is closed once, and not activated after that
SITE_CHECKLIST           refuse B    activation needs approval, investigator and an accepted delegation
SITE_COPY_MISSING        refuse B    a site is closed when its investigator has an equal copy of their own
SITE_DRUG_OPEN           refuse B    a site is closed when its drug is reconciled
SITE_ENVELOPES_OPEN      refuse B    a site is closed when its envelopes are checked or their opening told
ENROLMENT_OPENED_TWICE   refuse B    enrolment is opened at a site while it is not open there
STUDY_NOT_HALTED         refuse B    what is resumed is halted
COMMAND_APPROVAL_MISSING hold   B    recruiting needs the command's approval where the protocol asks for it
LIST_COMMITTED           refuse B    a randomization list is committed once, and its parts stand before it
LIST_CONTRIBUTORS        refuse B    two or more persons of different organisations contribute seeds
LIST_PARAMETERS          refuse B    parameters fit the seeds, strata and first list that the ledger holds
LIST_AFTER_ENROLMENT     refuse B    a list is committed before the first participant is enrolled
LIST_BEFORE_BEACON       refuse B    the beacon's tree is not there at the parameters, and is at the list
LIST_REROLLED            flag   B    a list is not made again under another name
DATABASE_NOT_LOCKED      refuse B    a list is opened after the database is locked
"""
