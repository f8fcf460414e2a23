"""Prepared questions: what people ask of a study, each at an address that stays (requirements.md).

Addresses are below the study's, and take the filters of what they lead to: `site`, `participant`, `known`, …
`docs/questions.md` has them all with what else answers them; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

PREPARED: Final[Mapping[str, tuple[tuple[str, str], ...]]] = MappingProxyType(
    {
        "Monitor": (
            ("Before a visit: what matters at each site, worst first?", "/projections/brief.html"),
            ("What is new since my last signed look?", "/projections/changes.html?sort=-index"),
            ("What broke since I verified it?", "/projections/verification.html?sort=-outdated_index"),
            ("What is missing that should be there?", "/projections/absences.html"),
            ("Was the right form signed, before anything was done?", "/projections/consent.html"),
            ("Were they eligible, as known at randomization?", "/projections/eligibility.html"),
            ("Was what was planned given?", "/projections/dosing.html"),
            ("Are adverse events reported in time?", "/projections/safety.html"),
            ("Which queries wait, and for how long?", "/projections/queries.html?sort=-age_hours"),
            ("Which entries are worth a look, and what is to be signed?", "/projections/trail-review.html"),
            ("How do the sites compare?", "/projections/sites.html"),
        ),
        "Auditor and inspector": (
            ("Who could have done it at that minute?", "/projections/powers.html"),
            ("Who was granted which role, and until when?", "/projections/roles-log.html"),
            ("Who saw which allocation, when and why?", "/projections/unblinding.html"),
            ("Who logged in, looked, exported or was refused?", "/projections/access.html"),
            ("Which gates were refused, to whom?", "/projections/near-misses.html"),
            ("Which breaches are recorded, and which not?", "/projections/breaches.html"),
            ("What was signed, changed after it, and signed again?", "/projections/signatures.html"),
            ("Was the record ever interrupted?", "/projections/continuity.html"),
            ("Which parts of the trail were reviewed?", "/projections/trail-coverage.html"),
            ("What was corrected, and why?", "/audit-trail.html?type=correction.made"),
        ),
        "Investigator": (
            ("What waits for me, and what came since I signed?", "/projections/tray.html"),
            ("What was done outside a delegation?", "/projections/outside-delegation.html"),
            ("What do I hand over?", "/projections/hand-over.html"),
            ("What stands on the emergency cards?", "/projections/emergency-cards.html"),
            ("Who may do what at my site?", "/projections/delegation-log.html"),
        ),
    }
)
