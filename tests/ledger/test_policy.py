"""Trust policies: what they say, and which cosignatures are enough."""

from __future__ import annotations

import hashlib

import pytest

from ledger.checkpoint import Checkpoint, check_published, publish, sign_head
from ledger.errors import FormatError, SignatureError
from ledger.merkle import EMPTY_ROOT
from ledger.note import CosignatureSigner, NoteSigner, VerifierKey, format_vkey
from ledger.policy import TrustPolicy, check_quorum, format_policy, parse_policy
from tests.shared import VECTORS

MINIMAL = (VECTORS / "bundle-minimal.policy").read_bytes()
ORIGIN = "ledger.example/one"


def seed(label: str) -> bytes:
    """Make a seed out of a label."""
    return hashlib.sha256(label.encode()).digest()


LOG = NoteSigner(ORIGIN, seed("log"))
PQ = CosignatureSigner(ORIGIN, seed("pq"))
WITNESSES = {
    name: CosignatureSigner(f"{name}.example/w", seed(name)) for name in ("x1", "x2", "x3", "y1", "y2")
}
LOGS = f"log {format_vkey(LOG.key)}\nlog {format_vkey(PQ.key)}\n"
NAMED = LOGS + "".join(f"witness {name} {format_vkey(each.key)}\n" for name, each in WITNESSES.items())
HEAD = sign_head(Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT), LOG)
PUBLISHED = publish(HEAD, [PQ], 1_767_600_000)
TWO_LEVELS = NAMED + "group X 2 x1 x2 x3\ngroup Y any y1 y2\ngroup both all X Y\nquorum both\n"


def parsed(text: str) -> TrustPolicy:
    """Parse a policy given as text."""
    return parse_policy(text.encode())


def cosigned(*names: str) -> bytes:
    """Write the published checkpoint with the lines of these witnesses."""
    return publish(PUBLISHED, [WITNESSES[name] for name in names], 1_767_600_001)


def test_the_minimal_policy() -> None:
    """The vectors' policy pins a ledger, lists two keys, asks for no witness, and is written back."""
    policy = parse_policy(MINIMAL)
    assert policy.ledger_id == "6406781472926a6c8d6f3b45f07a1dbec84d72a3b965c21fa19e30f127d3fb58"
    assert [key.algorithm for key in policy.log_keys] == [0x01, 0x06]
    assert (policy.witnesses, policy.groups, policy.quorum) == ((), (), None)
    assert format_policy(policy) == MINIMAL
    assert policy.keys_of("ledger.example/minimal") == policy.log_keys
    assert policy.keys_of("ledger.example/other") == ()


def test_a_policy_without_ledger_id_is_unpinned() -> None:
    """Any other policy file of the specification is read too."""
    policy = parsed(f"# made by hand\n\n \tlog\t{format_vkey(LOG.key)}  https://log.example/ \nquorum none\n")
    assert (policy.ledger_id, policy.log_keys, policy.quorum) == (None, (LOG.key,), None)


def test_a_policy_is_read_back() -> None:
    """Witnesses, URLs, groups and quorum survive being written."""
    text = f"# ledger-id {'ab' * 32}\n" + TWO_LEVELS.replace(
        "\nwitness x2", " https://x1.example/\nwitness x2"
    )
    policy = parsed(text)
    assert policy.witnesses[0].url == "https://x1.example/"
    assert parse_policy(format_policy(policy)) == policy
    assert [group.threshold for group in policy.groups] == [2, 1, 2]


def test_an_unpinned_policy_is_written_without_a_ledger_id() -> None:
    """The file then begins with its logs, and is unpinned again when it is read."""
    policy = parsed(LOGS + "quorum none\n")
    assert format_policy(policy) == (LOGS + "quorum none\n").encode()


@pytest.mark.parametrize(
    ("names", "enough"),
    [
        ((), False),
        (("x1", "x2"), False),
        (("x1", "y1"), False),
        (("y1", "y2"), False),
        (("x1", "x2", "y2"), True),
        (("y1", "x2", "x3"), True),
        (("x1", "x2", "x3", "y1", "y2"), True),
    ],
)
def test_a_quorum_of_groups(names: tuple[str, ...], enough: bool) -> None:
    """Two of the X and one of the Y have to have cosigned."""
    policy, note = parsed(TWO_LEVELS), cosigned(*names)
    check_published(note, policy.log_keys)
    if enough:
        assert set(check_quorum(note, policy)) == set(names)
    else:
        with pytest.raises(SignatureError, match=r"^QUORUM\b"):
            check_quorum(note, policy)


def test_a_quorum_of_one() -> None:
    """A quorum may be a single witness, and then no other does."""
    policy = parsed(NAMED + "quorum x2\n")
    assert check_quorum(cosigned("x2"), policy) == ("x2",)
    with pytest.raises(SignatureError, match=r"^QUORUM\b"):
        check_quorum(cosigned("x1", "x3"), policy)


def test_no_quorum_needs_no_witness() -> None:
    """`quorum none` takes a checkpoint with none, and names those that signed all the same."""
    policy = parsed(NAMED + "quorum none\n")
    assert check_quorum(PUBLISHED, policy) == ()
    assert check_quorum(cosigned("y1"), policy) == ("y1",)


def test_a_witness_line_that_fails_rejects_the_note() -> None:
    """Also where the quorum is reached without it."""
    policy = parsed(NAMED + "quorum x1\n")
    other = publish(sign_head(Checkpoint(origin=ORIGIN, size=1, root=seed("r")), LOG), [WITNESSES["x2"]], 9)
    wrong = other[other.index("— x2".encode()) :]
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE\b"):
        check_quorum(cosigned("x1") + wrong, policy)


def test_a_witness_counts_once() -> None:
    """A line given twice is refused, and the same key can't be listed under two names."""
    with pytest.raises(SignatureError, match=r"^NOTE_SIGNATURE\b"):
        check_quorum(publish(cosigned("x1"), [WITNESSES["x1"]], 1_767_600_002), parsed(TWO_LEVELS))
    renamed = VerifierKey(name="again.example/w", algorithm=0x06, public=WITNESSES["x1"].key.public)
    with pytest.raises(FormatError, match="not listed yet"):
        parsed(NAMED + f"witness again {format_vkey(renamed)}\nquorum none\n")


def test_a_log_is_not_its_own_witness() -> None:
    """A log's public key is refused as a witness's, whatever its name and type."""
    own = VerifierKey(name="witness.example/w", algorithm=0x04, public=LOG.key.public)
    with pytest.raises(FormatError, match="not listed yet"):
        parsed(LOGS + f"witness w {format_vkey(own)}\nquorum none\n")


REFUSED = {
    "empty": "",
    "no_final_line_feed": LOGS + "quorum none",
    "carriage_return": LOGS + "quorum none\r\n",
    "no_quorum": LOGS,
    "two_quorums": LOGS + "quorum none\nquorum none\n",
    "quorum_undefined": LOGS + "quorum x1\n",
    "quorum_before_its_name": LOGS + f"quorum x1\nwitness x1 {format_vkey(WITNESSES['x1'].key)}\n",
    "unknown_line": LOGS + "mirror m\nquorum none\n",
    "bad_key": "log ledger.example/one+00000000+AYrem/VL\nquorum none\n",
    "log_twice": LOGS + LOGS + "quorum none\n",
    "log_with_witness_type": f"log {format_vkey(VerifierKey(name='a', algorithm=4, public=LOG.key.public))}\n"
    "quorum none\n",
    "witness_with_log_type": f"witness w {format_vkey(LOG.key)}\nquorum none\n",
    "witness_without_name": f"witness {format_vkey(WITNESSES['x1'].key)}\nquorum none\n",
    "witness_with_a_word_more": LOGS
    + f"witness x1 {format_vkey(WITNESSES['x1'].key)} https://x1.example/ again\nquorum none\n",
    "no_break_space": LOGS + "quorum none\u00a0\n",
    "witness_twice": NAMED + f"witness x1 {format_vkey(WITNESSES['x2'].key)}\nquorum none\n",
    "too_many_words": LOGS + "log a b c\nquorum none\n",
    "name_twice": NAMED + "group x1 any x2\nquorum none\n",
    "group_named_none": NAMED + "group none any x2\nquorum none\n",
    "group_of_none": NAMED + "group g any none\nquorum none\n",
    "group_empty": NAMED + "group g any\nquorum none\n",
    "group_forward": NAMED + "group g any h\ngroup h any x1\nquorum none\n",
    "group_of_itself": NAMED + "group g any g\nquorum none\n",
    "member_twice": NAMED + "group g all x1 x1\nquorum none\n",
    "member_of_two_groups": NAMED + "group g any x1\ngroup h any x1 x2\nquorum none\n",
    "threshold_zero": NAMED + "group g 0 x1\nquorum none\n",
    "threshold_above": NAMED + "group g 2 x1\nquorum none\n",
    "threshold_with_zero": NAMED + "group g 01 x1\nquorum none\n",
    "threshold_word": NAMED + "group g most x1\nquorum none\n",
    "ledger_id_second": LOGS + f"# ledger-id {'ab' * 32}\nquorum none\n",
    "ledger_id_short": "# ledger-id abcd\nquorum none\n",
    "ledger_id_upper_case": f"# ledger-id {'AB' * 32}\nquorum none\n",
    "ledger_id_spaced": f"#  ledger-id {'ab' * 32}\nquorum none\n",
    "control_character": "# \x00\nquorum none\n",
    "too_large": "#" * 1_000_001,
    "too_many_groups": NAMED
    + "".join(f"group g{n} any {f'g{n - 1}' if n else 'x1'}\n" for n in range(101))
    + "quorum none\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_policies_are_refused(name: str) -> None:
    """A policy that leaves anything to guess is refused."""
    with pytest.raises(FormatError) as caught:
        parsed(REFUSED[name])
    assert caught.value.code in {"POLICY", "VKEY"}


def test_a_refusal_names_the_line() -> None:
    """The field of the error is the number of the line."""
    with pytest.raises(FormatError) as caught:
        parsed(LOGS + "\nmirror m\nquorum none\n")
    assert caught.value.field == "line 4"


LINES = {
    "two_quorums": 4,
    "quorum_undefined": 3,
    "unknown_line": 3,
    "log_twice": 3,
    "witness_with_a_word_more": 3,
    "ledger_id_second": 3,
    "ledger_id_short": 1,
    "no_break_space": 3,
    "witness_twice": NAMED.count("\n") + 1,
    "too_many_words": 3,
    "name_twice": NAMED.count("\n") + 1,
    "group_named_none": NAMED.count("\n") + 1,
    "group_of_none": NAMED.count("\n") + 1,
    "group_of_itself": NAMED.count("\n") + 1,
    "member_of_two_groups": NAMED.count("\n") + 2,
    "threshold_zero": NAMED.count("\n") + 1,
    "threshold_above": NAMED.count("\n") + 1,
    "threshold_with_zero": NAMED.count("\n") + 1,
    "threshold_word": NAMED.count("\n") + 1,
    "too_many_groups": NAMED.count("\n") + 101,
}


@pytest.mark.parametrize("name", LINES)
def test_every_refusal_names_its_line(name: str) -> None:
    """Whichever rule a line breaks, its number is told."""
    with pytest.raises(FormatError) as caught:
        parsed(REFUSED[name])
    assert (caught.value.code, caught.value.field) == ("POLICY", f"line {LINES[name]}")


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    """The file is text."""
    with pytest.raises(FormatError, match=r"^POLICY\b"):
        parse_policy(b"# \xff\nquorum none\n")
