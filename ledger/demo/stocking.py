"""The stock of a pharmacy: shipments, lots and kits, before anything is made up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from ledger.actions.fields import Measure, Source
from ledger.actions.pharmacy import Consignment, Form, KitRegistered, ShipmentReceived
from ledger.demo.cast import PREPARER, pharmacist
from ledger.study.definition import Product, StudyDefinition

if TYPE_CHECKING:
    from ledger.demo.setup import Setup

EXPIRY: Final = "2027-03-31"
_KITS: Final = 6
# By unit of a dose: what a kit and a shipment hold, and the unit in which the stock is kept.
_STOCK: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {"mg": ("10000", "60000", "mg"), "g": ("500", "3000", "g")}
)


def stock(setup: Setup, site: str) -> None:
    """Receive a shipment of each product at a site's pharmacy, and register its kits."""
    stream, by = f"pharmacy/{site}", pharmacist(site, PREPARER)
    source = Source(kind="paper", reference=f"delivery note {site}-1")
    definition = setup.stage.definition
    products = definition.products.values()
    received = ShipmentReceived(
        shipment=f"{site}-S1",
        sender="Demo depot",
        condition="intact",
        consignments=tuple(
            Consignment(product=p.id, lot=lot_of(p.id), expiry=EXPIRY, quantity=_held(p.id, definition, 1))
            for p in products
        ),
        dea_forms=tuple(_forms(products)),
        source=source,
    )
    arrived = setup.say(by, received, stream)
    for product in products:
        for number in range(1, _KITS + 1):
            kit = KitRegistered(
                kit=kit_of(product.id, number),
                product=product.id,
                lot=lot_of(product.id),
                expiry=EXPIRY,
                quantity=_held(product.id, definition, 0),
                condition="good",
                statement=arrived.event,
                source=source,
            )
            setup.say(by, kit, stream)


def _forms(products: Iterable[Product]) -> Iterator[Form]:
    return (Form(form="DEA 222", reference="DEMO-222-1") for p in products if p.controlled is not None)


def lot_of(product: str) -> str:
    """Return the lot that a product is taken from."""
    return f"{product[:4].upper()}-2401"


def kit_of(product: str, number: int) -> str:
    """Return the number of a kit."""
    return f"{product[:4].upper()}-K{number:02d}"


def _held(product: str, definition: StudyDefinition, which: int) -> Measure:
    unit = dose_unit(product, definition)
    held = _STOCK[unit]
    return Measure(value=held[which], unit=held[2])


def kit_holds(product: str, definition: StudyDefinition) -> Measure:
    """Return what a whole kit holds."""
    return _held(product, definition, 0)


def dose_unit(product: str, definition: StudyDefinition) -> str:
    """Return the unit of a product's doses: by weight or fixed, it is taken out in mg or g."""
    units = {
        dose.unit.partition("/")[0]
        for arm in definition.arms
        for dose in arm.doses
        if dose.product == product
    }
    return units.pop()
