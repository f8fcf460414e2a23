"""The sentence of every problem code that is not a rule of conduct (those are in `ledger.rules.codes`)."""

from __future__ import annotations

from typing import Final

BY_STATUS: Final = {
    400: "the request is malformed",
    401: "the request is not authenticated",
    403: "this is not open to the reader",
    404: "there is no such thing here",
    405: "this address does not have that method",
    408: "the request came too slowly",
    409: "another change came first",
    413: "the request is too large",
    414: "the address is too long",
    415: "expected another content type",
    422: "the statement can't be recorded as it is",
    429: "too many requests",
    431: "the headers are too large",
    500: "the service failed; nothing was recorded by this request",
    503: "the service can't do this now",
    507: "the store is full; nothing was recorded by this request",
}

_TABLE: Final = """
UNAUTHENTICATED       not let in: a session or token of this study is needed, or an id with its own secret
SESSION_EXPIRED       the session is over: log in again
LOCKED                the login is locked for a while after too many failures
TOO_MANY_ATTEMPTS     too many attempts from there: wait
ROLE_NEEDED           several roles are held: name the one in use in Ledger-Role
CROSS_SITE            a cookie counts for what a page of this service sends, and nothing else
NO_ACCOUNTS           this ledger has no accounts yet: the operator makes them with an invitation
PASSWORD_LENGTH       the password is shorter or longer than allowed
PASSWORD_GUESSABLE    the password is a name or one character repeated
OIDC_KEYS             the keys of the identity provider can't be fetched
KEPT                  a value is kept exactly where the one that was entered was changed
NOT_ASKED             no edit check of the study asks that of this record
SORT                  rows can be sorted by the columns that the documentation names, and by no other
AFTER                 no page of this list ends there
RANGE                 too many entries to sort or search at once: name a participant, or a range
FORBIDDEN             the reader's role or sites do not include this
NOT_FOUND             there is no such thing here
UNKNOWN_STUDY         this service has no such study
UNKNOWN_PARTICIPANT   the study has no such participant
UNKNOWN_SITE          the study has no such site
UNKNOWN_FIELD         no record of this participant that the reader sees has this field
UNKNOWN_EVENT         the log has no such event
UNKNOWN_PROJECTION    there is no such projection
METHOD                this address does not have that method
CONTENT_TYPE          expected another content type
CONTENT_ENCODING      bodies are taken as they are, not compressed
INTERNAL              the service failed; nothing was recorded by this request
DRAINING              the service is stopping; ask another one
BUSY                  the service answers as many requests as it can: ask again with the same bytes
RATE                  too many requests in too short a time: ask again later
SLOW                  the body came too slowly
ADDRESS_SIZE          the address is longer than allowed
HEADERS_SIZE          the headers are larger or more than allowed
FOLDING               the service still reads its log
STREAMS_FULL          the service has as many subscribers as it can serve
WEBHOOK               the endpoint does not have exactly the members that it should
WEBHOOK_URL           webhooks don't go there
WEBHOOK_UNKNOWN       the study has no such endpoint
WEBHOOKS_OFF          this service sends no webhooks
CHECKPOINT_FAILED     the newest head could not be published
STORAGE_DAMAGED       the newest reading of the whole storage found damage
BATCH                 a batch has at least one line, and no more than the documented number
QUERY                 a query parameter is unknown, given twice or malformed
KNOWN                 known is an index of the log or a time
TRUE                  true is a clinical time
SINCE                 since is an index of the log or a time
UNTIL                 until is an index of the log or a time
FILTER                rows of this projection are not of single sites or participants
FIELD                 a field is a type or an index, and a pointer: TYPE/data/MEMBER or 412/occurred_at
CURSOR_AHEAD          the log has fewer entries than the cursor says
LAST_EVENT_ID         Last-Event-ID is an index of the log
JSON                  the body is not well-formed JSON without duplicates, fractions or huge integers
BODY                  the body does not have exactly the members that it should
SIZE                  the body or a part of it is larger than allowed
ACTION                the action lacks a member or has one that prepare fills in
CANONICAL             the bytes are not canonical JSON of the record format
STATEMENT             the statement does not have the form of the record format
CLASS                 the class is not that of the type and stream
CLASS_STREAM          a control statement stands in an unsalted stream
UNKNOWN_TYPE          the authority table has no such type and schema
STREAM                the type does not stand in this stream
SITE                  the site is not that of the stream
SEALED_PATHS          the sealed paths are not exactly those of the type
DISCLOSURES           the disclosures are not exactly those of the sealed paths
DISCLOSURE            a disclosure is not the one that the statement commits to
DATA                  the data does not have the shape of its type
SEALED_RULE           a rule over sealed values is not met
SIGNATURE             the signature does not hold over these bytes
SIGNATURE_SET         the signatures are not exactly those of key and with, in that order
KEY_UNKNOWN           the log does not know this key
KEY_ALG               the key is enrolled for another algorithm
KEY_ID                the key's id is not that of its own encoding
KEY_ENCODING          the key is not in its one encoding
WEAK_KEY              the key is one that must not be used
KEY_REVOKED           the key is revoked or retired
KEY_ORDER             the keys do not stand in the order of the record format
KEY_ALREADY_ENROLLED  the key is enrolled already, and a key is enrolled once
GRADE                 a key of this grade may not sign this type
ACCOUNT_INACTIVE      the account is not active
ACTOR                 name, organisation and role are not those that the log knows
ATTESTATION           attestation is the service's alone
GENESIS               the first entries of a ledger have a fixed order
HOLDER_ONLY           the key's holder alone signs this
IDENTITY_UNVERIFIED   the person's identity is not verified
SIGNING_PAGES_MISSING the study has no signing pages
SIGNING_KEY_MISSING   there is no key in custody that may sign
SIGNING_COMPONENTS    both components are needed: the id and the signing secret
SIGNING_SECRET        a signing component is wrong
SIGNING_SECRET_REUSED the signing secret is another than the password
SESSION_NEEDED        this is open in a session only
REGISTRATION          this is no verified registration of a passkey at the signing pages
WAITING               a statement waits with every signature but one, and without sealed values
LABELS                the leaf's labels are not the statement's
LOG_KEYS              the opening does not name the log's keys
WITNESS_POLICY        the policy asks for witnesses whom this version can't ask
LIST_BEACON           the list is not drawn from the root that its parameters name
LIST_SEED             a seed is not the one that was committed to
LIST_OPENING          what is opened does not give the committed list
ALLOCATION_MISSING    the log has no allocation of this participant
ARM_BLINDED           this arm was not shown to the reader
UNBLINDING_QUEUED     an emergency unblinding waits to be recorded first
STAGE                 this version allocates the first stage alone
LIST_ELSEWHERE        the list's slots are sealed in an older epoch whose data keys are not open here
EPOCH_KEYS_ELSEWHERE  the allocation is sealed in an older epoch: unblind in that epoch's directory
LIST_EXHAUSTED        the list has no unused slot in this stratum
LOG                   the statement belongs to another log
MEANING_NOT_ALLOWED   the role may not sign this with that meaning
PERSON_ID_REUSED      a person's id is used once
PERSON_UNKNOWN        the log does not know this person
POLICY_UNACKNOWLEDGED the signature policy is acknowledged before other signatures
PROOF_OF_POSSESSION   the new key signs its own enrolment
ROLE_CONFLICT         the person holds or held a role that excludes this one
ROLE_NOT_ALLOWED      the role may not sign this type
ROLE_NOT_HELD         the person does not hold this role
SITE_NOT_HELD         the role is not held on this site
TRANSFER_SIGNERS      the investigator of the site that takes over signs too
ROLE_UNKNOWN          the catalogue has no such role
ROOT_KEYS             the root keys are not of different persons, each once
ROTATION_SIGNERS      a rotation is signed by the old key, the new one and a third
SAME_PERSON           the second person is another one than the first
SELF_GRANT            nobody grants a role to themselves
STATEMENT_HASH        the leaf commits to another statement
THRESHOLD             too few of the root persons signed
ID_REUSED             another statement has this id
TAG                   the tag is not that of the stream
TWO_TAGS              the stream has another tag
SERVICE_KEY           the service's account or key does not count any more: writing is stopped
SEQ                   the stream stands elsewhere
PREV                  the stream's newest event is another
INDEX                 the log stands elsewhere
AT                    recorded earlier than the entry before
SEEN_SIZE             seen names a tree that the log does not have below this index
SEEN_ROOT             seen does not name the log's root at that size
SEEN_BACK             the key had seen a larger tree before
STALE                 the stream has grown: sign against the head given here
HEAD_STALE            the log has grown meanwhile: ask again
DUPLICATE             the statement or one of its parts is there already
GUARD_TAKEN           what may be used once was used meanwhile
ATTACHMENT            the bytes are not those that the attachment is named by
ATTACHMENT_MISSING    the attachment's bytes are handed in before the statement
TREE_RANGE            the tree sizes are not of this log
SCOPE                 expected a scope as documented: study, site:S, participant:P, or a kind and a name
EXPORT_ROLE           no bundle is made for this role and scope
EXPORT_SIZE           the bundle is too large for a zip
PURPOSE               a purpose is asked for where sealed values are opened
DOCUMENT_KEY          this service has no key of documents: the operator makes it with copy-key
GLYPH_MISSING         a character of these records has no glyph on this machine: nothing was issued
TILE_PATH             there is no such tile
LOG_BEHIND_CHECKPOINT the log is behind its published checkpoint: writing is stopped
LOG_INCONSISTENT      the log does not continue its published checkpoint: writing is stopped
STORE_BUSY            another writer holds the store: ask again
STORE_FULL            the store is full: nothing was recorded by this request
STORE_IO              the store failed: ask again with the same bytes to learn whether they were recorded
STORE_CORRUPT         what is stored contradicts itself: nothing is answered from it
STORE_CLOSED          the service is stopping
STORE_BEHIND          the store is behind the published checkpoint
FROZEN                the ledger is frozen: nothing is recorded
QUORUM                the quorum of witnesses is missed: nothing more is recorded until they answer
DISCLOSURE_MISSING    the store does not hold a sealed value that it should
DISCLOSURE_UNREADABLE a sealed value does not open under its key
DATA_KEY_MISSING      the key of a sealed value is not there
KEK_WRONG             the keys of sealed values were made with another key-encryption key
LEDGER_EMPTY          the ledger has no first entry
"""

TITLES: Final = dict(line.split(maxsplit=1) for line in _TABLE.strip().splitlines())
