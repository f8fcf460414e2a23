"""The parts of webhooks: where they go, how they are signed, when they are tried again, what is in force."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.delivery import signing
from ledger.delivery.addresses import PUBLIC, ForbiddenError, allowed, check_url, reach_of, resolve
from ledger.delivery.book import Book, Lane, Lease
from ledger.delivery.endpoints import Endpoint, off, parse_endpoint, ranges, replay, rotation
from ledger.delivery.schedule import SECOND_US, Schedule
from ledger.delivery.standing import OVERLAP_US, Standings
from ledger.errors import FormatError, LedgerError, SignatureError, StoreError
from ledger.sources import SeededSources
from tests.ledger.small_ledger import SmallLedger, make, seed

OWN = reach_of(("10.1.0.0/16", "127.0.0.0/8", "169.254.0.0/16"), (8443,))
ENDPOINT: dict[str, Any] = {
    "endpoint": "0123456789abcdef",
    "url": "https://receiver.example/hook/secret",
    "role": "auditor",
    "person": "mchen",
    "sites": ["*"],
    "types": [],
    "after": -1,
}

# Signing: Standard Webhooks 1.0, with the vector of its reference implementation.

SEED = b"TESTSIGNINGKEYDONOTUSETHISFORANY"
BODY = b'{"test": 2432232314}'
NAME, AT = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330


def test_a_delivery_is_signed_as_the_reference_implementation_does() -> None:
    """The vector of standard-webhooks: key, id, time and body give this very header."""
    headers = signing.headers(NAME, AT, BODY, [SEED])
    assert headers[signing.SIGNATURE] == (
        "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
    )
    assert signing.check(headers, BODY, signing.public_key(SEED), AT) == NAME


def test_both_keys_of_a_rotation_verify() -> None:
    """A receiver that has the old key or the new one takes the same delivery."""
    other = seed("another webhook key")
    headers = signing.headers(NAME, AT, BODY, [other, SEED])
    for key in (SEED, other):
        assert signing.check(headers, BODY, signing.public_key(key), AT) == NAME


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda h: {**h, signing.ID: "msg_other"}, "SIGNATURE"),
        (lambda h: {**h, signing.TIMESTAMP: str(AT + 1)}, "SIGNATURE"),
        (lambda h: {**h, signing.SIGNATURE: "v1a,"}, "SIGNATURE"),
        (lambda h: {**h, signing.SIGNATURE: h[signing.SIGNATURE].replace("v1a", "v1")}, "SIGNATURE"),
        (lambda h: {**h, signing.TIMESTAMP: str(AT - 301)}, "TIMESTAMP"),
        (lambda h: {**h, signing.TIMESTAMP: "now"}, "WEBHOOK_HEADERS"),
        (lambda h: {**h, signing.ID: "a.b"}, "WEBHOOK_HEADERS"),
    ],
)
def test_a_receiver_refuses_what_was_not_signed(
    change: Callable[[dict[str, str]], dict[str, str]], code: str
) -> None:
    """Id, time and signature each count, and a dot in an id would make two readings of one text."""
    headers = change(signing.headers(NAME, AT, BODY, [SEED]))
    with pytest.raises((SignatureError, FormatError)) as refused:
        signing.check(headers, BODY, signing.public_key(SEED), AT)
    assert refused.value.code == code


def test_a_receiver_refuses_another_body_and_another_key() -> None:
    """SIGNATURE: the body is signed byte for byte, under the endpoint's own key."""
    headers = signing.headers(NAME, AT, BODY, [SEED])
    for body, key in ((BODY + b" ", SEED), (BODY, seed("another webhook key"))):
        with pytest.raises(SignatureError) as refused:
            signing.check(headers, body, signing.public_key(key), AT)
        assert refused.value.code == "SIGNATURE"


# Where a request may go.

# fmt: off
REFUSED = [  # of each kind its ends, or one
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",  # noqa: S104  refused
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:a9fe:a9fe::",
    "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fec0::1",
    "ff02::1",
]
# fmt: on


@pytest.mark.parametrize("address", REFUSED)
def test_no_webhook_goes_to_an_address_that_is_not_public(address: str) -> None:
    """Private, shared, loopback, link-local, multicast, reserved, metadata; also where IPv6 carries one."""
    assert not allowed(ipaddress.ip_address(address), PUBLIC)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111"])
def test_webhooks_go_to_public_addresses(address: str) -> None:
    """Without any setting."""
    assert allowed(ipaddress.ip_address(address), PUBLIC)


def test_an_operator_names_networks_of_their_own_but_never_link_local_ones() -> None:
    """A hospital's receivers stand in its own network; a metadata service is none of them."""
    named = {each: allowed(ipaddress.ip_address(each), OWN) for each in ("10.1.2.3", "10.2.0.1", "127.0.0.1")}
    assert named == {"10.1.2.3": True, "10.2.0.1": False, "127.0.0.1": True}
    for never in ("169.254.169.254", "224.0.0.1", "0.0.0.0"):  # noqa: S104  that it is refused
        assert not allowed(ipaddress.ip_address(never), OWN)


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/",
        "http://10.1.2.3/",
        "ftp://receiver.example/",
        "https:///path",
        "https://user:word@receiver.example/",
        "https://user@receiver.example/",
        "https://receiver.example/#part",
        "https://receiver.example:22/",
        "https://receiver.example:0/",
        "https://receiver.example:99999/",
        "https://192.168.1.1/",
        "https://[::1]/",
        "https://[fe80::1%25eth0]/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://receiver.example\\@10.0.0.1/",
        "https://receiver.example/ x",
        "https://réceiver.example/",
        f"https://receiver.example/{'x' * 2_000}",
        "file:/etc/passwd",
        "",
    ],
)
def test_a_url_that_no_webhook_has_is_refused(url: str) -> None:
    """WEBHOOK_URL, and the URL is not in the message."""
    with pytest.raises(FormatError) as refused:
        check_url(url, PUBLIC)
    assert refused.value.code == "WEBHOOK_URL"
    assert "receiver" not in str(refused.value)


def test_plain_http_goes_to_a_named_loopback_alone() -> None:
    """For trying out on one machine; to a name or another network it is refused."""
    assert check_url("http://127.0.0.1:8080/hook", OWN).port == 8080
    for url in ("http://127.0.0.1:8080/hook", "http://localhost:8080/hook"):
        with pytest.raises(FormatError):
            check_url(url, PUBLIC)
    with pytest.raises(FormatError):
        check_url("http://10.1.2.3:8443/hook", OWN)
    assert check_url("https://receiver.example:8443/hook", OWN).port == 8443


def test_a_name_is_refused_where_any_of_its_addresses_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers with one public and one private address is no way in."""

    async def ask(answers: list[str]) -> str:
        async def found(*_: object, **__: object) -> list[Any]:
            return [(0, 0, 0, "", (each, 443)) for each in answers]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
        return await resolve("receiver.example", 443, PUBLIC)

    assert asyncio.run(ask(["93.184.215.14", "1.1.1.1"])) == "93.184.215.14"
    for answers in (["93.184.215.14", "10.0.0.1"], ["::ffff:127.0.0.1"], ["169.254.169.254"]):
        with pytest.raises(ForbiddenError):
            asyncio.run(ask(answers))


# When to try again.


def test_waits_double_up_to_half_a_day_and_are_drawn_from_the_whole_span() -> None:
    """Full jitter: from at once to the whole of a span that doubles."""
    schedule = Schedule()
    assert [schedule.span_s(tries) for tries in (1, 2, 3, 100)] == [5.0, 10.0, 20.0, 43_200.0]
    drawn = [schedule.due_us(3, 0, 0.0) / SECOND_US for _ in range(300)]
    assert 0 <= min(drawn) < 4 < 16 < max(drawn) <= 20


def test_the_receiver_may_ask_for_an_hour_at_most() -> None:
    """Retry-After counts where it is longer; nobody puts a sender off for ever."""
    assert Schedule().due_us(1, 0, 60.0) >= 60 * SECOND_US
    assert Schedule().due_us(1, 0, 1e9) == 3_600 * SECOND_US


def test_what_has_failed_for_three_days_is_parked() -> None:
    """And not a moment before."""
    days = 3 * 24 * 3_600 * SECOND_US
    assert not Schedule().spent(1, days)
    assert Schedule().spent(1, days + 1)


# What is in force.


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"role": "device"}, "ROLE_UNKNOWN"),
        ({"role": "inspector"}, "ROLE_UNKNOWN"),
        ({"role": "god"}, "ROLE_UNKNOWN"),
        ({"url": "https://10.0.0.1/"}, "WEBHOOK_URL"),
        ({"sites": []}, "WEBHOOK"),
        ({"sites": ["*", "SA-01"]}, "WEBHOOK"),
        ({"types": ["x"]}, "WEBHOOK"),
        ({"types": ["visit.started", "visit.started"]}, "WEBHOOK"),
        ({"after": -2}, "WEBHOOK"),
        ({"after": True}, "WEBHOOK"),
        ({"person": "a b"}, "WEBHOOK"),
        ({"person": 1}, "WEBHOOK"),
        ({"endpoint": "x"}, "WEBHOOK"),
        ({"more": 1}, "WEBHOOK"),
    ],
)
def test_an_endpoint_out_of_form_is_refused(members: dict[str, Any], code: str) -> None:
    """Each with its code."""
    with pytest.raises(LedgerError) as refused:
        parse_endpoint({**ENDPOINT, **members}, PUBLIC)
    assert refused.value.code == code


def configured(made: SmallLedger, changes: list[dict[str, str]]) -> int:
    """Have an administrator sign changes; return the index."""
    data = {"changes": changes, "reference": "webhook", "source": {"kind": "esource"}}
    said = ("admin", "sponsor_administrator", "approval", "configuration.changed", "study", data)
    return made.say("webhook", *said).index


def test_what_is_in_force_follows_from_signed_statements_alone(tmp_path: Path) -> None:
    """Created, changed, rotated, replayed, off: each a statement, folded in order, bit by bit or at once."""
    made = make(tmp_path / "ledger")
    folded = Standings()
    endpoint = parse_endpoint(ENDPOINT, PUBLIC)
    name = endpoint.endpoint
    assert not folded.catch_up(made.ledger.store)
    begun = configured(made, endpoint.changes(None, "whpk_old"))
    first = folded.catch_up(made.ledger.store)[name]
    assert (first.digest, first.begun, first.since) == (endpoint.digest, begun, begun)
    assert first.host == "receiver.example"
    assert "secret" not in str(made.ledger.store.entry(begun))
    other = Endpoint(**{**ENDPOINT, "sites": ("*",), "types": (), "after": 3})
    changed = configured(made, other.changes(endpoint.digest, None))
    rotated = configured(made, rotation(name, "whpk_old", "whpk_new"))
    ordered = configured(made, replay(name, (3, 5), (9, 9)))
    standing = folded.catch_up(made.ledger.store)[name]
    assert (standing.digest, standing.begun, standing.since) == (other.digest, begun, changed)
    since_us = standing.keys[-1].since_us
    assert rotated > changed
    assert standing.signing(since_us) == ("whpk_new", "whpk_old")
    assert standing.signing(since_us + OVERLAP_US) == ("whpk_new",)
    assert [(each.ordered, each.first, each.last) for each in standing.replays] == [
        (ordered, 3, 5),
        (ordered, 9, 9),
    ]
    configured(made, off(name, other.digest))
    assert folded.catch_up(made.ledger.store)[name].digest is None
    assert Standings().catch_up(made.ledger.store) == folded.catch_up(made.ledger.store)


def test_indexes_become_spans() -> None:
    """So that what is parked in a row is one replay."""
    assert ranges([1, 2, 3, 7, 9, 10]) == [(1, 3), (7, 7), (9, 10)]


# What is remembered.


def book(directory: Path, kek: str = "kek") -> Book:
    """Open the book of a directory, making it where there is none."""
    return Book.ensure(directory, seed(kek), SeededSources("book", 0))


def test_a_signing_key_opens_under_its_key_encryption_key_and_endpoint_alone(tmp_path: Path) -> None:
    """KEK_WRONG for another key-encryption key; the file holds no key in plain."""
    with closing(book(tmp_path)) as kept, closing(book(tmp_path, "other")) as other:
        public = kept.new_key("a" * 16)
        secret = kept.seed("a" * 16, public)
        assert secret is not None
        assert signing.public_key(secret) == public
        assert secret not in (tmp_path / "deliveries.db").read_bytes()
        for opened, endpoint in ((kept, "b" * 16), (other, "a" * 16)):
            with pytest.raises(StoreError) as refused:
                opened.seed(endpoint, public)
            assert refused.value.code == "KEK_WRONG"
        assert kept.seed("a" * 16, "whpk_unknown") is None


def test_a_place_is_kept_and_a_delivery_that_is_given_up_is_parked(tmp_path: Path) -> None:
    """Failing counts, parking goes on with the next entry, delivering takes it out of what is parked."""
    name = "a" * 16
    with closing(book(tmp_path)) as kept, closing(book(tmp_path)) as again:
        kept.begin(Lane(endpoint=name, ordered=7, first=-1, next=0, stop=None))
        lane = kept.lanes(name)[0]
        kept.failed(lane, since_us=1, due_us=9, trouble="STATUS_500")
        lane = again.lanes(name)[0]
        assert (lane.next, lane.tries, lane.due_us, lane.trouble) == (0, 1, 9, "STATUS_500")
        kept.park(lane, now_us=3, trouble="TIMEOUT")
        assert [(each.index, each.tries, each.trouble) for each in kept.parked(name)] == [(0, 2, "TIMEOUT")]
        lane = kept.lanes(name)[0]
        assert (lane.next, lane.tries, lane.trouble) == (1, 0, "")
        kept.advance(lane, 2, 0)
        assert not kept.parked(name)
        assert kept.lanes(name)[0].next == 2


def test_one_process_holds_the_lease(tmp_path: Path) -> None:
    """Another one gets it when the first lets go, which the end of its process does too."""
    first, second = Lease(tmp_path), Lease(tmp_path)
    assert first.take()
    assert not second.take()
    first.release()
    assert second.take()
    second.release()
