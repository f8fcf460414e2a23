"""Rules of safety (catalogue G): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
SERIOUS_CRITERIA         flag   G    an event is serious exactly when a criterion of seriousness is met
CAUSALITY_INCOMPLETE     flag   G    causality is judged once for each product of the protocol
SCALE_UNKNOWN            flag   G    the grade is on the protocol's scale and version
ADVERSE_EVENT_UNKNOWN    form   G    the adverse event was reported
ADVERSE_EVENT_VERSION    form   G    versions of an adverse event follow one another without a gap
"""
