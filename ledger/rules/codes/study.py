"""Rules of study and sites (catalogue B): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
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
"""
