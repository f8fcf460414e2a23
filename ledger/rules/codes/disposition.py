"""Rules of disposition (catalogue I): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
COMPLETED_EARLY          flag   I    every required visit is done or missed before completion
CONTACT_ATTEMPTS         flag   I    the attempts and methods that the protocol asks for were made
ALREADY_ENDED            flag   I    a participant's disposition is recorded once
"""
