"""Rules of disposition (catalogue I): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
COMPLETED_EARLY          flag   I    every required visit is done or missed before completion
CONTACT_ATTEMPTS         flag   I    the attempts and methods that the protocol asks for were made
TREATMENT_ENDED          refuse I    no treatment starts after its end, but in the extension
TREATMENT_ENDED_TWICE    flag   I    the end of treatment is recorded once
TREATMENT_INCOMPLETE     flag   I    treatment is completed when every planned infusion was given or left out
NOT_LOST                 flag   I    who is found was lost to follow-up
EXTENSION_UNKNOWN        refuse I    the protocol version in force has an extension
EXTENSION_CORE           refuse I    the extension begins after the core study is completed
EXTENSION_CONSENT        refuse I    the extension begins on the participant's own consent to it
EXTENSION_WINDOW         refuse I    the extension begins within its days after completion
EXTENSION_REPEATED       refuse I    the extension is entered once
EXTENSION_NOT_ENTERED    flag   I    an extension that ends was entered
ALREADY_ENDED            flag   I    a participant's disposition is recorded once
"""
