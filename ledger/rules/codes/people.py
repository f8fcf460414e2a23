"""Rules of ledger, people, access (catalogue A): code, effect, section, and what it asks; one line each."""

from typing import Final

TABLE: Final = """
SOURCE_UNREGISTERED      form   A    a device or system that is named as source is registered, not retired
DEVICE_UNKNOWN           refuse A    a device that is retired or handed out is registered, and not retired
ACCESS_UNKNOWN           refuse A    an access that is revoked is the participant's, and was not revoked
LOCKOUT_MISSING          flag   A    login is locked after as many failures as the policy allows
LOCKOUT_IGNORED          flag   A    nobody logs in while locked out or without an active account
SESSION_NOT_OPEN         flag   A    a session that ends was begun by that person's login, and is open
INSPECTOR_ROLE           refuse A    who inspects holds the role inspector
INSPECTION_CHECKPOINT    refuse A    the checkpoint frozen is one that its signer had verified
INSPECTION_NOT_OPEN      flag   A    an inspection that is closed or read in is open
BACKUP_UNKNOWN           flag   A    a backup that is destroyed was taken, and not destroyed before
RESTORE_FAILED           flag   A    a restored backup gives back the size that it was taken at
RULES_UNKNOWN            form   A    a release names a version of the rules that the program can judge by
DOWNTIME_ENDED           flag   A    a downtime ends once, and not before it began
NOT_SUSPECT              flag   A    what is reaffirmed was signed with that person's key since its compromise
NOT_RESPONSIBLE          form   A    who reaffirms answers for the site, without one for the sponsor
ERASURE_DIGESTS          refuse A    the digests are of sealed values of the statement, not erased before
ERASURE_RETENTION        refuse A    no value under retention is erased: identity, free text and access only
ERASURE_APPROVALS        refuse A    erasure has two approvals of the same digests, one not of the sponsor
"""
