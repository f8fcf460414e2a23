"""Rules of product and dosing (catalogue E): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
NOT_RANDOMIZED           refuse E    a participant is randomized before infusions, if the protocol randomizes
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
CHECK_FAILED             hold   E    the newest check before an infusion did not fail
CHECK_MISSING            hold   E    a check was passed in the hours before a start that the protocol asks for
CHECK_INCOMPLETE         flag   E    a check that is passed answers all that the protocol asks
DOSING_DISCONTINUED      hold   E    dosing is not discontinued
DOSE_OMITTED             hold   E    an infusion that is omitted is not ordered, dispensed or started
DOSE_GIVEN               flag   E    an infusion that is omitted was not started
DOSE_NOT_REDUCED         flag   E    a reduced dose has less volume than the protocol plans, in its unit
DEPARTURE_NOT_ALLOWED    flag   E    no hold of consent, identity, randomization or blinding is set aside
LABEL_OF_ANOTHER         refuse E    a label is that of the dose made for this participant and infusion
DOSE_NOT_DISPENSED       flag   E    a dose that comes to the bedside has left the pharmacy
KIT_REPEATED             flag   E    a kit is registered once
KIT_UNKNOWN              flag   E    a kit that is named is registered
KIT_STATE                flag   E    a kit is there, and in quarantine when it is released
KIT_NOT_DISPENSABLE      hold   E    a kit that is dispensed is in stock, not in quarantine and not expired
BALANCE_NEGATIVE         flag   E    no more of a lot leaves the books than came in
COUNT_DIFFERS            flag   E    what is counted is what was expected
DISCREPANCY_DUE          flag   E    a count or balance that does not come out is reported within 24 hours
DISCREPANCY_UNFOUNDED    flag   E    a discrepancy is of a count or movement that does not come out
DOSE_FOR_NOBODY          refuse E    a dose is made for a participant who is registered
LABEL_REPEATED           refuse E    a label is given to one dose
DOSE_NOT_PREPARED        refuse E    a dose that leaves, returns or is wasted was prepared for that infusion
PREPARATION_UNCHECKED    hold   E    checker and witness, not the preparer, cosign before a dose leaves
DISPENSED_TWICE          refuse E    a dose leaves once, and not after it was wasted
SEQUENCE_INCOMPLETE      flag   E    a dose has its checker, witness and witnessed waste within 24 hours
SEALED_RULE              hold   E    what is sealed keeps the rules, which have one code (R8)
"""
