"""What values of a study definition look like: texts, codes, ids, days, amounts.

Codes are lower case, ids of sites and persons as streams name them (record-format §2), units UCUM codes.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from ledger.study.sourced import Between, Filled, Matches

Text = Annotated[str, Filled()]
Code = Annotated[str, Matches(pattern=r"[a-z][a-z0-9_]{0,63}")]
ArmId = Annotated[str, Matches(pattern=r"[a-z][a-z0-9_+-]{0,63}")]
SiteId = Annotated[str, Matches(pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")]
CriterionId = Annotated[str, Matches(pattern=r"[A-Z][A-Z0-9]{0,15}")]
Unit = Annotated[str, Matches(pattern=r"[!-~]{1,32}")]  # a UCUM code: printable ASCII, no space
Language = Annotated[str, Matches(pattern=r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")]
Day = Annotated[int, Between(low=-3650, high=3650)]
Days = Annotated[int, Between(low=0, high=3650)]
Hours = Annotated[int, Between(low=0, high=8760)]
Minutes = Annotated[int, Between(low=0, high=10_080)]
Count = Annotated[int, Between(low=1, high=1 << 20)]
Percent = Annotated[Decimal, Between(low=0, high=100)]
Amount = Annotated[Decimal, Between(low=0, high=1_000_000)]
Bound = Annotated[Decimal, Between(low=-1_000_000_000, high=1_000_000_000)]
