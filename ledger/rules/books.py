"""How a pharmacy's books are read: accounts, quantities, and the books of one site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from ledger.rules.case import StudyCase
from ledger.state.pharmacy import NO_PHARMACY, Account, Pharmacy
from ledger.studystate import StudyState


def in_stock(state: StudyState, site: str | None) -> Pharmacy:
    """Return the books of a site's pharmacy; empty ones for a site that has none."""
    return state.pharmacies.get(site or "", NO_PHARMACY)


def at(case: StudyCase) -> Pharmacy:
    """Return the books of the pharmacy that a record stands in."""
    return in_stock(case.study, case.record.site)


def put(state: StudyState, site: str | None, pharmacy: Pharmacy) -> StudyState:
    """Return the state with other books of a site's pharmacy."""
    return replace(state, pharmacies=MappingProxyType({**state.pharmacies, site or "": pharmacy}))


def account(line: Mapping[str, Any], amount: Mapping[str, Any]) -> Account:
    """Return the account of a line that names product and lot, in the unit of an amount."""
    return Account(line["product"], line["lot"], amount["unit"])


def quantity(amount: Mapping[str, Any]) -> Decimal:
    """Return the number of an amount."""
    return Decimal(amount["value"])
