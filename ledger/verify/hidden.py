"""What a withheld leaf tells of itself: could its author sign anything where its labels say that it stands?

A leaf's labels are all that a reader has of a statement that is withheld. An operator who labels a control
statement as `restricted`, the revocation of a key for example, hides it from everybody who does not see that
class. Its signature still names the author, and who signs nothing in such a stream did not sign this.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from ledger.actions.registry import all_specs
from ledger.authority import SERVICE, Authority
from ledger.leaf import Leaf
from ledger.statement import class_of

_RESTRICTED: Final = ("pharmacy", "safety", "access")


def is_by_stranger(authority: Authority, leaf: Leaf) -> bool:
    """Tell whether the author of a withheld leaf, known to the log, holds no role that signs in its class.

    A root person holds none: root signs control statements alone (record-format.md §6).
    """
    key = authority.keys.get(leaf.sigs[0].key)
    person = None if key is None else authority.person(key.person)
    if person is None or person.id == SERVICE:
        return False
    return not signing_roles(leaf.cls, has_site=leaf.site != "") & person.roles.keys()


@cache
def signing_roles(cls: str, *, has_site: bool) -> frozenset[str]:
    """Return the roles that sign some type of a class that can be withheld: `open` or `restricted`.

    Of restricted streams `pharmacy/` has a site, `safety` and `access/` have none.
    """
    here = {"pharmacy"} if has_site else {"safety", "access"}
    return frozenset(
        role
        for spec in all_specs()
        for kind in spec.streams
        if (kind in here if cls == "restricted" else kind not in _RESTRICTED)
        and class_of(spec.type, f"{kind}/x") != "control"
        for role in spec.roles_in(kind)
    )
