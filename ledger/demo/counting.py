"""What a pharmacy does with its stock beside doses: counts, excursions, a lost vial, transfers, the end.

Counts rest on the books as the pharmacists see them, doses included. Everything takes a second person.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

from ledger.actions.fields import Measure, Quantity, Source
from ledger.actions.monitoring import DeviationClassified, DeviationReported
from ledger.actions.pharmacy import (
    Consignment,
    Counted,
    Form,
    InventoryTaken,
    KitDestroyed,
    KitExpired,
    KitQuarantined,
    KitRegistered,
    KitReleased,
    KitRemainder,
    ShipmentReceived,
    SubstanceCounted,
    SubstanceDestroyedOrReturned,
    SubstanceDiscrepancyReported,
    SubstanceLossReported,
    SubstanceTransferred,
    TemperatureExcursion,
)
from ledger.demo.cast import CHECKER, PREPARER, UNBLINDED_MONITOR, WITNESS, pharmacist
from ledger.demo.office import Desk
from ledger.demo.setup import Setup
from ledger.demo.stage import Story
from ledger.demo.stocking import dose_unit, kit_holds, kit_of, lot_of
from ledger.state.pharmacy import Account, Pharmacy
from ledger.study.definition import Product

WARM: Final = date(2024, 7, 15)
COUNTED: Final = (date(2024, 6, 28), date(2024, 10, 25), date(2025, 3, 28))
TAKEN: Final = date(2024, 12, 18)
MOVED: Final = date(2024, 11, 5)
LOST: Final = COUNTED[1]
SHORT_DATED: Final = date(2024, 8, 8)
EXPIRED: Final = date(2025, 2, 3)
VIAL: Final = "500"

_NIGHT: Final = 22 * 60
_BOOKS: Final = Source(kind="paper", reference="dispensing log")


def stories(setup: Setup) -> Iterator[Story]:
    """Yield each pharmacy's, and the vial that is lost at the first."""
    first, *_, last = sites = list(setup.stage.definition.sites)
    for site in sites:
        for on in COUNTED:
            yield _count(setup, site, on, lost=site == first and on == LOST)
        yield _inventory(setup, site)
    yield _excursion(setup, first)
    yield _expired(setup, last)
    yield _transferred(setup, first, last)


def controlled(setup: Setup) -> Product:
    """Return the product that is a controlled substance."""
    return next(p for p in setup.stage.definition.products.values() if p.controlled is not None)


def books(setup: Setup, site: str) -> Pharmacy:
    """Return a pharmacy's books as its pharmacists see them."""
    return setup.stage.ledger.refresh().conduct.study.pharmacies[site]


def _in_stock(setup: Setup, site: str, product: str) -> Measure:
    unit = dose_unit(product, setup.stage.definition)
    left = books(setup, site).stock(Account(product, lot_of(product), unit))
    return Measure(value=str(left), unit=unit)


def _form(number: str, reference: str) -> tuple[Form, ...]:
    return (Form(form=f"DEA {number}", reference=reference),)


def _count(setup: Setup, site: str, on: date, *, lost: bool) -> Story:
    """Count the controlled substance; once a vial is missing: flagged, reported, booked out."""
    stream, by = f"pharmacy/{site}", pharmacist(site, PREPARER)
    desk = Desk(setup, on, _NIGHT, site=site)
    yield desk.wait()
    product = controlled(setup).id
    expected = _in_stock(setup, site, product)
    vial = Measure(value=VIAL, unit=expected.unit)
    there = Decimal(expected.value) - (Decimal(VIAL) if lost else 0)
    line: dict[str, Any] = {"product": product, "lot": lot_of(product)}
    counted = SubstanceCounted(
        occasion="periodic",
        expected=expected,
        counted=Measure(value=str(there), unit=expected.unit),
        source=_BOOKS,
        **line,
    )
    recorded = yield desk.note(by, counted, stream, breaches=("COUNT_DIFFERS",) if lost else ())
    yield desk.second(pharmacist(site, CHECKER), recorded, "second_counter", stream)
    if not lost or recorded is None:
        return
    discrepancy = SubstanceDiscrepancyReported(
        statement=recorded.event,
        expected=expected,
        counted=counted.counted,
        code="vial_missing",
        dea_forms=(),
        note="searched by both pharmacists, not found",
        source=_BOOKS,
        **line,
    )
    reported = yield desk.note(by, discrepancy, stream)
    yield desk.second(pharmacist(site, WITNESS), reported, "witness", stream)
    loss = SubstanceLossReported(
        quantity=vial,
        code="lost_in_pharmacy",
        discovered=desk.day,
        dea_forms=_form("106", f"DEMO-106-{site}"),
        note="one vial",
        source=_BOOKS,
        **line,
    )
    gone = yield desk.note(by, loss, stream)
    yield desk.second(pharmacist(site, WITNESS), gone, "witness", stream)
    deviation = DeviationReported(
        code="count_differs",
        statements=(recorded.event,),
        rules=("COUNT_DIFFERS",),
        known=desk.day,
        action="corrected",
        text="a vial is missing; form sent, locks changed",
        source=_BOOKS,
    )
    told = yield desk.note(by, deviation, stream)
    classified = DeviationClassified(
        statement=told.event if told is not None else "",
        classification="important",
        impacts=("safety",),
        irb=True,
        source=_BOOKS,
    )
    yield desk.days(3).note(UNBLINDED_MONITOR, classified, stream)


def _inventory(setup: Setup, site: str) -> Story:
    """Count everything, lot by lot."""
    stream, desk = f"pharmacy/{site}", Desk(setup, TAKEN, _NIGHT, site=site)
    yield desk.wait()
    known = books(setup, site)
    lines = tuple(
        Counted(product=each.product, lot=each.lot, expected=amount, counted=amount)
        for each in sorted(known.balances)
        if (amount := Measure(value=str(known.stock(each)), unit=each.unit))
    )
    taken = yield desk.note(pharmacist(site, PREPARER), InventoryTaken(lines=lines, source=_BOOKS), stream)
    yield desk.second(pharmacist(site, CHECKER), taken, "second_counter", stream)


def _excursion(setup: Setup, site: str) -> Story:
    """The store gets warm over a night: two kits wait, one is released, one destroyed."""
    stream, by = f"pharmacy/{site}", pharmacist(site, PREPARER)
    desk = Desk(setup, WARM, _NIGHT, site=site)
    product = controlled(setup)
    kept, lost = kit_of(product.id, 5), kit_of(product.id, 6)
    warm = TemperatureExcursion(
        storage="controlled-substance safe",
        lowest=Quantity(value="21.4", unit="Cel"),
        highest=Quantity(value="31.2", unit="Cel"),
        from_=desk.day,
        kits=(kept, lost),
        note="the cooling failed during the night",
        source=Source(kind="paper", reference="temperature log"),
    )
    found = yield desk.note(by, warm, stream)
    event = found.event if found is not None else ""
    waits = KitQuarantined(kits=(kept, lost), code="temperature_excursion", statement=event, source=_BOOKS)
    yield desk.note(by, waits, stream)
    released = KitReleased(
        kits=(kept,),
        code="stability_data",
        decided_by="Demo depot, quality department",
        statement=event,
        source=_BOOKS,
    )
    yield desk.days(4).note(by, released, stream)
    destroyed = KitDestroyed(
        kits=(KitRemainder(kit=lost, quantity=kit_holds(product.id, setup.stage.definition)),),
        method="incineration",
        dea_forms=_form("41", f"DEMO-41-{site}-1"),
        source=_BOOKS,
    )
    gone = yield desk.note(by, destroyed, stream)
    yield desk.second(pharmacist(site, WITNESS), gone, "witness", stream)


def _expired(setup: Setup, site: str) -> Story:
    """A short-dated lot arrives, is never used, and expires."""
    stream, by = f"pharmacy/{site}", pharmacist(site, PREPARER)
    product = next(p for p in setup.stage.definition.products.values() if p.controlled is None)
    unit, lot = dose_unit(product.id, setup.stage.definition), f"{lot_of(product.id)}S"
    desk = Desk(setup, SHORT_DATED, _NIGHT, site=site)
    quantity, expiry = Measure(value="100", unit=unit), "2025-01-31"
    note = Source(kind="paper", reference=f"delivery note {site}-2")
    shipment = ShipmentReceived(
        shipment=f"{site}-S2",
        sender="Demo depot",
        condition="intact",
        consignments=(Consignment(product=product.id, lot=lot, expiry=expiry, quantity=quantity),),
        dea_forms=(),
        source=note,
    )
    arrived = yield desk.note(by, shipment, stream)
    kit = KitRegistered(
        kit=f"{kit_of(product.id, 1)}S",
        product=product.id,
        lot=lot,
        expiry=expiry,
        quantity=quantity,
        condition="good",
        statement=arrived.event if arrived is not None else None,
        source=note,
    )
    yield desk.note(by, kit, stream)
    yield Desk(setup, EXPIRED, _NIGHT, site=site).note(by, KitExpired(kits=(kit.kit,), source=_BOOKS), stream)


def _transferred(setup: Setup, out: str, into: str) -> Story:
    """One pharmacy helps the other out."""
    product = controlled(setup).id
    unit = dose_unit(product, setup.stage.definition)
    desk = Desk(setup, MOVED, _NIGHT)
    for site, other, direction in ((out, into, "out"), (into, out, "in")):
        moved = SubstanceTransferred(
            direction="out" if direction == "out" else "in",
            other=f"Demo site {other}, pharmacy",
            product=product,
            lot=lot_of(product),
            quantity=Measure(value=VIAL, unit=unit),
            dea_forms=_form("222", "DEMO-222-2"),
            source=_BOOKS,
        )
        recorded = yield desk.note(pharmacist(site, PREPARER), moved, f"pharmacy/{site}")
        yield desk.second(pharmacist(site, WITNESS), recorded, "witness", f"pharmacy/{site}")


def reconciled(setup: Setup, desk: Desk, site: str) -> Story:
    """Account for all that is left: what is controlled is destroyed, every kit is, and nothing remains."""
    stream, by = f"pharmacy/{site}", pharmacist(site, PREPARER)
    substance = controlled(setup).id
    yield desk.wait()
    for account in sorted(books(setup, site).balances):
        left = books(setup, site).stock(account)
        if account.product != substance or not left:
            continue
        destroyed = SubstanceDestroyedOrReturned(
            how="destroyed",
            product=account.product,
            lot=account.lot,
            quantity=Measure(value=str(left), unit=account.unit),
            method="incineration",
            dea_forms=_form("41", f"DEMO-41-{site}-2"),
            source=_BOOKS,
        )
        recorded = yield desk.note(by, destroyed, stream)
        yield desk.second(pharmacist(site, WITNESS), recorded, "witness", stream)
    kits = KitDestroyed(
        kits=tuple(_remainders(books(setup, site))),
        method="incineration",
        dea_forms=(),
        certificate=f"DEMO-CERT-{site}",
        source=_BOOKS,
    )
    gone = yield desk.note(by, kits, stream)
    yield desk.second(pharmacist(site, WITNESS), gone, "witness", stream)


def _remainders(known: Pharmacy) -> Iterator[KitRemainder]:
    """Yield each kit that is there, the first of a lot with all that is left of it, the others empty."""
    left = {account: known.stock(account) for account in known.balances}
    for number, kit in sorted(known.kits.items()):
        if kit.gone is not None:
            continue
        account = next(a for a in left if (a.product, a.lot) == (kit.product, kit.lot))
        amount, left[account] = left[account], Decimal(0)
        yield KitRemainder(kit=number, quantity=Measure(value=str(amount), unit=account.unit))
