"""Rules of product and dosing (catalogue E): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
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
"""
