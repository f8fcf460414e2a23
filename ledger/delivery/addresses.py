"""Where a webhook may go: https to public addresses, and nowhere else unless the operator names it.

A host is resolved at each attempt, every address that it has is checked, and the connection goes to the very
address that was checked; a name that answers differently the next moment changes nothing (DNS rebinding).
Refused are private, shared, loopback, link-local, multicast, reserved and unspecified addresses, those of
cloud metadata services, and all of these inside of IPv6: mapped, compatible, translated (NAT64), 6to4, Teredo
(RFC 6890, RFC 4291 §2.5.5, RFC 6052, RFC 3056, RFC 4380).

An operator whose receivers stand in the hospital's own network names that network, and other ports than 443
(`TRIAL_LEDGER_WEBHOOK_NETWORKS`, `TRIAL_LEDGER_WEBHOOK_PORTS`). Plain http goes to a loopback address alone,
and only where that is named. Metadata and link-local addresses can't be named.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from ledger.errors import FormatError

MAX_URL: Final = 2_000
HTTPS: Final = 443

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NEVER: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
        "::/128",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "fd00:ec2::254/128",
        "fd20:ce::254/128",
    )
)
"""Link-local, multicast, unspecified and reserved addresses, and the metadata services of clouds."""

_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(each)
    for each in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "::1/128",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
    )
)
_NAT64: Final = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class ForbiddenError(Exception):
    """An address where no webhook goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What the operator allows beyond public addresses, and to which ports."""

    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({HTTPS})

    def named(self, address: Address) -> bool:
        """Tell whether the operator has named a network with this address."""
        return any(address.version == each.version and address in each for each in self.networks)


PUBLIC: Final = Reach()


def reach_of(networks: tuple[str, ...], ports: tuple[int, ...]) -> Reach:
    """Return what settings allow: networks as text, and ports beside that of https."""
    named = tuple(ipaddress.ip_network(each) for each in networks)
    return Reach(networks=named, ports=frozenset({HTTPS, *ports}))


def check_url(url: str, reach: Reach) -> SplitResult:
    """Require a URL that a webhook may have, whatever its host resolves to; return its parts.

    Raises:
        FormatError: `WEBHOOK_URL`; the URL is not repeated.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("expected an address") from None
    host = parts.hostname or ""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused(f"expected at most {MAX_URL} printable ASCII characters")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise _refused("expected no credentials in it")
    if parts.fragment or not host or port == 0:
        raise _refused("expected a host, and no fragment")
    literal = _literal(host)
    if literal is None and (_HOST.fullmatch(host) is None or not host.rpartition(".")[2][0].isalpha()):
        raise _refused("expected a host's name, or an address in its one form")
    if literal is not None and not allowed(literal, reach):
        raise _refused("expected a host that the operator lets webhooks go to")
    if parts.scheme == "http":
        if literal is None or not literal.is_loopback:
            raise _refused("expected https://")
    elif parts.scheme != "https":
        raise _refused("expected https://")
    if (port or HTTPS) not in reach.ports and not (parts.scheme == "http" and port):
        raise _refused("expected a port that the operator lets webhooks go to")
    return parts


def allowed(address: Address, reach: Reach) -> bool:
    """Tell whether a webhook may go to an address: to it itself, and to any that is written inside of it."""
    return all(_one(each, reach) for each in (address, *_inside(address)))


async def resolve(host: str, port: int, reach: Reach) -> str:
    """Return the address to connect to; every address of the host is one that a webhook may go to.

    Raises:
        ForbiddenError: one of them is not.
        OSError: the host has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses:
        raise OSError
    if not all(allowed(each, reach) for each in addresses):
        raise ForbiddenError
    return str(addresses[0])


def _one(address: Address, reach: Reach) -> bool:
    if any(address.version == each.version and address in each for each in _NEVER):
        return False
    if reach.named(address):
        return True
    # Both: the tables of the standard library differ from one Python to the next.
    listed = any(address.version == each.version and address in each for each in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not listed


def _inside(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses that an IPv6 address carries."""
    if not isinstance(address, ipaddress.IPv6Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if any(address in each for each in _NAT64) or (address in _COMPATIBLE and int(address) > 1):
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(message: str) -> FormatError:
    return FormatError("WEBHOOK_URL", message, field="url")
