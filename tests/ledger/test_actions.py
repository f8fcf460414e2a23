"""The vocabulary: every type and schema against its golden file, and what the strict parser refuses."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.actions import (
    Action,
    ActionSpec,
    Effect,
    Fact,
    ParticipantGate,
    all_specs,
    fields,
    find_spec,
    json_schema,
    parse_action,
    parse_data,
    spec,
    to_data,
)
from ledger.actions.table import authority_csv
from ledger.canonical import encode
from ledger.errors import FormatError
from ledger.statement import Statement, build_statement, class_of, parse_statement
from tests.shared import ROOT, SHARED, VECTORS, needs_shared

GOLDEN = Path(__file__).parent / "golden"
SPECS = {f"{each.type}.v{each.schema}": each for each in all_specs()}
NAMES = sorted(SPECS)
CANARY = "Canary Value"

SERVICE_TYPES = {
    "participant.randomized",
    "breach.detected",
    "command.refused",
    "export.generated",
    "personal_data.erased",
    "edit_check.fired",
    "login.succeeded",
    "login.failed",
    "login.locked",
    "session.ended",
    "record.viewed",
    "trail.viewed",
    "certified_copy.issued",
    "clock.drifted",
    "backup.taken",
    "restore.tested",
}
ROOT_NOUNS = {
    "ledger",
    "policy",
    "account",
    "identity",
    "training",
    "role",
    "key",
    "study",
    "configuration",
    "system",
}


# Members of which one alone can be there: the example has another of them.
ONE_OF = {"record.signed.v1": {"statement", "visit"}}
# `old` and `new` are any canonical value.
ANY_VALUE = ("correction.made.v1", "correction.proposed.v1")


def golden(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    example = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return example["data"], example["opened"]


def stream_of(known: ActionSpec) -> str:
    kind = known.streams[0]
    return kind if kind in ("study", "safety") else f"{kind}/SA-01"


def statement(
    known: ActionSpec, data: Any, sealed: set[str], *, reason: bool, stream: str | None = None
) -> Statement:
    """Build real statement bytes around `data` and parse them."""
    stream = stream or stream_of(known)
    paths = sealed | ({"/reason/text"} if reason else set())
    members: dict[str, Any] = {
        "v": 1,
        "log": "ledger.example/minimal",
        "id": "0199f0c2-7a50-7c3e-8f57-5d0b7f000000",
        "type": known.type,
        "schema": known.schema,
        "class": class_of(known.type, stream),
        "stream": stream,
        "tag": "0" * 64,
        "seq": 1,
        "prev": "0" * 64,
        "occurred_at": "2026-02-02T09:00:00-06:00",
        "signed_at": "2026-02-02T15:01:00.000000Z",
        "actor": {"id": "p", "name": "P", "organisation": "O", "role": min(known.roles)},
        "key": {"alg": "ed25519", "id": "sha256:" + "0" * 64},
        "meaning": "authorship",
        "seen": {"root": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "size": 0},
        "data": data,
    }
    if reason:
        members["reason"] = {"code": "entry_error"}
    if paths:
        members["sealed"] = dict.fromkeys(sorted(paths), "A" * 43)
    if stream.partition("/")[0] in ("site", "pharmacy", "participant"):
        members["site"] = "SA-01"
    return parse_statement(build_statement(members))


def refused(known: ActionSpec, data: Any, opened: dict[str, Any] | None = None) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_data(known, data, opened or {})
    return caught.value


def judged(known: ActionSpec, data: Any) -> FormatError | Action:
    try:
        return parse_data(known, data)
    except FormatError as error:
        return error


def nodes(value: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (pointer, container, key) of every member and item below a value."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield f"{path}/{key}", value, key
        yield from nodes(value[key], f"{path}/{key}")


# Golden files


def test_every_type_and_schema_has_a_golden_file() -> None:
    """A type without an example, or an example without its type, is a defect."""
    assert sorted(path.stem for path in GOLDEN.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_golden_round_trips(name: str) -> None:
    """What was recorded under a schema reads and writes back the same for ever."""
    data, opened = golden(name)
    assert to_data(parse_data(SPECS[name], data, opened)) == (data, opened)
    assert encode(data)


@pytest.mark.parametrize("name", NAMES)
def test_golden_stands_in_a_statement(name: str) -> None:
    """A statement that carries the example, its sealed paths absent from plain data, parses to its class."""
    data, opened = golden(name)
    known = SPECS[name]
    action = parse_action(statement(known, data, set(opened), reason=known.reason_required), opened)
    assert type(action) is known.action
    assert action.spec is known


@pytest.mark.parametrize("name", NAMES)
def test_golden_uses_every_member(name: str) -> None:
    """The examples cover each optional member, so that a lost one is noticed."""
    data, opened = golden(name)
    properties = set(json_schema(SPECS[name])["properties"])
    assert properties - data.keys() <= {"performer", "performed_outside"} | ONE_OF.get(name, set())
    assert set(opened) == set(SPECS[name].sealed)


@pytest.mark.parametrize("name", NAMES)
def test_description_is_one_sentence_without_sealed_values(name: str) -> None:
    """The line of the audit trail is the same whether or not sealed values were opened."""
    data, opened = golden(name)
    closed = parse_data(SPECS[name], data)
    line = closed.describe()
    assert line == parse_data(SPECS[name], data, opened).describe()
    assert line.endswith(".")
    assert "\n" not in line
    assert "None" not in line


@pytest.mark.parametrize("name", [name for name in NAMES if SPECS[name].sealed])
def test_sealed_fields_are_none_until_opened(name: str) -> None:
    """Nothing of a sealed value is in an action that was read without openings."""
    data, _ = golden(name)
    _, sealed = to_data(parse_data(SPECS[name], data))
    assert set(sealed.values()) == {None}


# What the parser refuses


@pytest.mark.parametrize("name", NAMES)
def test_missing_members_are_refused(name: str) -> None:
    """Each member of the schema's `required` is demanded, and named by its pointer."""
    data, _ = golden(name)
    for member in json_schema(SPECS[name])["required"]:
        short = {key: value for key, value in data.items() if key != member}
        error = refused(SPECS[name], short)
        assert (error.code, error.field) == ("DATA", f"/data/{member}")


@pytest.mark.parametrize("name", NAMES)
def test_unknown_members_are_refused_at_every_depth(name: str) -> None:
    """Objects are closed sets; the pointer ends at the object and does not repeat the unknown key."""
    data, _ = golden(name)
    objects = [
        "",
        *(path for path, container, key in nodes(data) if isinstance(container[key], dict)),
    ]
    for target in objects:
        changed = copy.deepcopy(data)
        inner: Any = changed
        for key in target.split("/")[1:]:
            inner = inner[int(key) if isinstance(inner, list) else key]
        inner["unknown_canary"] = 1
        error = refused(SPECS[name], changed)
        assert (error.code, error.field) == ("DATA", f"/data{target}")
        assert "unknown_canary" not in str(error)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ANY_VALUE])
@pytest.mark.parametrize("wrong", [None, CANARY + "\n", True, -1, 2**53, [[[]]], {"canary": 1}])
def test_wrong_values_are_refused_without_being_repeated(name: str, wrong: Any) -> None:
    """Whatever stands at a place where it does not belong is refused there, and no message holds it."""
    data, _ = golden(name)
    for path, _container, _key in nodes(data):
        changed = copy.deepcopy(data)
        *parents, last = path.split("/")[1:]
        inner: Any = changed
        for key in parents:
            inner = inner[int(key) if isinstance(inner, list) else key]
        place: Any = int(last) if isinstance(inner, list) else last
        if type(inner[place]) is type(wrong) and not isinstance(wrong, str):
            continue
        inner[place] = wrong
        outcome = judged(SPECS[name], changed)
        if (name, path) == ("policy.changed.v1", "/witness_policy") and isinstance(wrong, str):
            continue  # a text of several lines, which takes the canary
        assert isinstance(outcome, FormatError), path
        assert outcome.code == "DATA"
        # A missing or doubled partner is told one level up.
        where = outcome.field or ""
        assert where.startswith(f"/data{path}") or f"/data{path}".startswith(where)
        assert "canary" not in str(outcome).lower()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdef_", max_size=4), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(name=st.sampled_from(NAMES), member=st.integers(0, 40), value=JSON)
def test_any_value_is_read_or_refused(name: str, member: int, value: Any) -> None:
    """A parser raises nothing but a FormatError, and what it accepts it writes back unchanged."""
    data = copy.deepcopy(golden(name)[0])
    if data:
        data[sorted(data)[member % len(data)]] = value
    outcome = judged(SPECS[name], data)
    if isinstance(outcome, FormatError):
        assert outcome.code == "DATA"
    else:
        assert to_data(outcome)[0] == data


@given(value=JSON)
def test_data_that_is_no_object_is_refused(value: Any) -> None:
    """`data` is an object in every type."""
    if not isinstance(value, dict):
        assert refused(spec("account.disabled", 1), value).field == "/data"


@pytest.mark.parametrize(
    ("name", "change", "field"),
    [
        ("key.rotated.v1", {"/key/rp_id": "ledger.example"}, "/data/key/rp_id"),
        ("key.rotated.v1", {"/key/alg": "webauthn-es256"}, "/data/key/origins"),
        ("key.rotated.v1", {"/key/id": "sha256:" + "A" * 64}, "/data/key/id"),
        ("role.granted.v1", {"/sites": ["*", "SA-01"]}, "/data/sites"),
        ("role.granted.v1", {"/sites": []}, "/data/sites"),
        ("role.granted.v1", {"/sites": ["SA-01", "SA-01"]}, "/data/sites"),
        ("role.granted.v1", {"/role": "administrator"}, "/data/role"),
        ("enrolment.opened.v1", {"/sites": ["*", "SA-01"]}, "/data/sites"),
        ("policy.changed.v1", {"/grades": [["role.granted", ["client"]]] * 2}, "/data/grades"),
        ("consent_form.approved.v1", {"/to": "2025-12-31"}, "/data/to"),
        ("consent_form.approved.v1", {"/from": "2026-02-30"}, "/data/from"),
        ("consent_form.approved.v1", {"/document/size": 8 * 1024 * 1024 + 1}, "/data/document/size"),
        ("irb_approval.recorded.v1", {"/to": "2026-01-04"}, "/data/to"),
        ("delegation.granted.v1", {"/from": "2026-01"}, "/data/from"),
        ("consent.obtained.v1", {"/options/1/option": "future_samples"}, "/data/options"),
        ("consent.obtained.v1", {"/participant_time": "2026-01-14T09:30:00"}, "/data/participant_time"),
        ("consent.withdrawn.v1", {"/scopes": []}, "/data/scopes"),
        ("outcome.recorded.v1", {"/items/1/item": "average"}, "/data/items"),
        ("outcome.recorded.v1", {"/total": "7.0e1"}, "/data/total"),
        ("outcome.recorded.v1", {"/total": "-0.0"}, "/data/total"),
        ("outcome.recorded.v1", {"/total": "٧"}, "/data/total"),
        ("infusion.completed.v1", {"/volume/value": "-1"}, "/data/volume/value"),
        ("infusion.completed.v1", {"/volume/value": "01"}, "/data/volume/value"),
        ("infusion.completed.v1", {"/volume/unit": "m L"}, "/data/volume/unit"),
        ("adverse_event.reported.v1", {"/grade": 6}, "/data/grade"),
        ("adverse_event.reported.v1", {"/grade": True}, "/data/grade"),
        ("adverse_event.followed_up.v1", {"/version": 1}, "/data/version"),
        ("participant.randomized.v1", {"/stage": True}, "/data/stage"),
        ("participant.randomized.v1", {"/stage": 2}, "/data/stage"),
        ("participant.randomized.v1", {"/proof/1": "A" * 43}, "/data/proof/1"),
        ("randomization.list_committed.v1", {"/root": "A" * 42 + "B="}, "/data/root"),
        ("randomization.parameters_committed.v1", {"/algorithm": "permuted-blocks/1"}, "/data/first"),
        ("randomization.parameters_committed.v1", {"/arms": [["a", 1], ["a", 1]]}, "/data/arms"),
        ("randomization.parameters_committed.v1", {"/arms": [["a", 1, 1]]}, "/data/arms/0"),
        ("randomization.parameters_committed.v1", {"/slots": 2**20}, "/data/slots"),
        ("export.generated.v1", {"/kind": "study"}, "/data/id"),
        ("correction.made.v1", {"/path": "/data"}, "/data/path"),
        ("correction.made.v1", {"/path": "/data/items/01"}, "/data/path"),
        ("correction.made.v1", {"/path": "/actor/name"}, "/data/path"),
        ("personal_data.erased.v1", {"/approvals": ["a" * 64, "a" * 64]}, "/data/approvals"),
        ("personal_data.erased.v1", {"/digests": ["A" * 42 + "B"]}, "/data/digests/0"),
    ],
)
def test_members_that_do_not_go_together_are_refused(name: str, change: dict[str, Any], field: str) -> None:
    """What a type's own shape demands beyond one member is judged with it."""
    data = copy.deepcopy(golden(name)[0])
    for path, value in change.items():
        *parents, last = path.split("/")[1:]
        inner: Any = data
        for key in parents:
            inner = inner[int(key) if isinstance(inner, list) else key]
        inner[int(last) if isinstance(inner, list) else last] = value
    error = refused(SPECS[name], data)
    assert (error.code, error.field) == ("DATA", field)


def test_policy_that_changes_nothing_is_refused() -> None:
    """`policy.changed` names one change at least."""
    assert refused(spec("policy.changed", 1), {}).field == "/data"


def test_correction_keeps_null_in_plain_data() -> None:
    """`old` and `new` may be null: the member is absent there."""
    data = {"new": None, "old": None, "path": "/protocol", "statement": "a" * 64}
    assert to_data(parse_data(spec("correction.made", 1), data))[0] == data


# Sealed values


@pytest.mark.parametrize("change", [{"/data/verbatim"}, {"/data/verbatim", "/data/note"}, set()])
def test_sealed_paths_are_exactly_the_types(change: set[str]) -> None:
    """One sealed path too few or too many is refused, whatever it holds."""
    known = spec("adverse_event.reported", 1)
    data, _ = golden("adverse_event.reported.v1")
    if change == set(known.sealed):
        assert parse_action(statement(known, data, change, reason=False)).spec is known
        return
    with pytest.raises(FormatError) as caught:
        parse_action(statement(known, data, change, reason=False))
    assert (caught.value.code, caught.value.field) == ("SEALED_PATHS", "/sealed")


def test_reason_text_is_sealed_with_every_reason() -> None:
    """A reason brings `/reason/text` into the sealed paths of any type."""
    known = spec("visit.completed", 1)
    data, _ = golden("visit.completed.v1")
    action = parse_action(statement(known, data, set(), reason=True), {"/reason/text": "Entered late."})
    assert to_data(action) == (data, {})


@pytest.mark.parametrize("name", [name for name in NAMES if SPECS[name].reason_required])
def test_reason_is_demanded(name: str) -> None:
    """A correction or voiding without a reason is refused (21 CFR 11.10(e))."""
    data, opened = golden(name)
    with pytest.raises(FormatError) as caught:
        parse_action(statement(SPECS[name], data, set(opened), reason=False))
    assert (caught.value.code, caught.value.field) == ("DATA", "/reason")


def test_opening_of_a_plain_path_is_refused() -> None:
    """A value opened where nothing is sealed is not taken."""
    data, _ = golden("visit.completed.v1")
    error = refused(spec("visit.completed", 1), data, {"/data/visit": "W02"})
    assert (error.code, error.field) == ("SEALED_PATHS", "/data/visit")


@pytest.mark.parametrize(
    ("name", "path", "value", "field"),
    [
        ("demographics.recorded.v1", "/data/age_years", True, "/data/age_years"),
        ("demographics.recorded.v1", "/data/sex", CANARY, "/data/sex"),
        ("participant.randomized.v1", "/data/arm", None, "/data/arm"),
        ("participant.randomized.v2", "/data/proof", [CANARY], "/data/proof/0"),
        ("randomization.parameters_committed.v1", "/data/block_sizes", [3, 0], "/data/block_sizes/1"),
        ("dose.administered.v1", "/data/amounts", [{"product": "a"}], "/data/amounts/0/quantity"),
        ("correction.made.v2", "/reason/text", 7, "/reason/text"),
    ],
)
def test_opened_values_have_their_form(name: str, path: str, value: Any, field: str) -> None:
    """An opened value is read as strictly as a plain one; an allocation is never null."""
    data, opened = golden(name)
    error = refused(SPECS[name], data, {**opened, path: value})
    assert (error.code, error.field) == ("DATA", field)
    assert CANARY not in str(error)


def test_scope_of_a_path() -> None:
    """A pointer at or below a sealed member has its scope, any other has none."""
    known = spec("dose.administered", 1)
    assert known.scope_at("/data/amounts") == "treatment"
    assert known.scope_at("/data/amounts/0/quantity/value") == "treatment"
    assert known.scope_at("/data/amounts_given") is None
    assert known.scope_at("/data/volume") is None
    assert known.scope_at("/reason/text") == "freetext"


# Types, streams, effects


@pytest.mark.parametrize(("type_", "schema"), [("visit.completed", 2), ("visit.imagined", 1)])
def test_unknown_types_are_refused(type_: str, schema: int) -> None:
    """A type or schema that isn't in the authority table is refused."""
    assert find_spec(type_, schema) is None
    with pytest.raises(FormatError) as caught:
        spec(type_, schema)
    assert caught.value.code == "UNKNOWN_TYPE"


def test_type_in_another_kind_of_stream_is_refused() -> None:
    """A type stands in the streams of its area only."""
    data, _ = golden("visit.completed.v1")
    stranger = statement(spec("visit.completed", 1), data, set(), reason=False, stream="safety")
    with pytest.raises(FormatError) as caught:
        parse_action(stranger)
    assert (caught.value.code, caught.value.field) == ("STREAM", "/stream")


@pytest.mark.parametrize("name", NAMES)
def test_control_types_stand_in_unsalted_streams(name: str) -> None:
    """A control statement stands only in `study`, `site/`, `person/`, `randomization/` (CLASS_STREAM)."""
    if SPECS[name].cls == "control":
        assert set(SPECS[name].streams) <= {"study", "site", "person", "randomization"}


@pytest.mark.parametrize("name", NAMES)
def test_facts_and_gates_carry_what_the_catalogue_asks(name: str) -> None:
    """A gate has no `source`; only gates in a participant's stream can have been passed outside."""
    known = SPECS[name]
    if issubclass(known.action, Fact):
        assert known.effect is Effect.FACT
    if issubclass(known.action, ParticipantGate):
        assert known.effect is Effect.GATE
        assert known.streams == ("participant",)


def test_statements_of_the_minimal_bundle_are_allowed() -> None:
    """Every statement of the public minimal bundle parses, and its role may sign it with its meaning."""
    lines = (VECTORS / "bundle-minimal/payloads/000.p/11").read_bytes().splitlines()
    assert len(lines) == 11
    for line in lines:
        parsed = parse_statement(line)
        action = parse_action(parsed)
        assert to_data(action)[0] == parsed.data
        assert action.spec.allows(parsed.actor.role, parsed.meaning)


def test_fields_go_down_to_values() -> None:
    """The trail's pairs name each leaf; a list of plain values is one value; null openings do not appear."""
    data, _ = golden("adverse_event.reported.v1")
    action = parse_data(spec("adverse_event.reported", 1), data, {"/data/verbatim": "Felt faint"})
    pairs = dict(fields(action))
    assert pairs["/data/criteria"] == ["hospitalisation", "important_medical_event"]
    assert pairs["/data/causality/1/relation"] == "unrelated"
    assert pairs["/data/source/kind"] == "esource"
    assert pairs["/data/verbatim"] == "Felt faint"
    assert "/data/verbatim" not in dict(fields(parse_data(action.spec, data)))


@pytest.mark.parametrize("name", NAMES)
def test_schema_is_plain_json(name: str) -> None:
    """The derived JSON Schema encodes, closes the object, and keeps sealed members apart."""
    schema = json_schema(SPECS[name])
    assert json.loads(json.dumps(schema)) == schema
    assert schema["additionalProperties"] is False
    assert not {path.removeprefix("/data/") for path in SPECS[name].sealed} & schema["properties"].keys()
    assert set(schema.get("x-sealed", {})) == set(SPECS[name].sealed)


# The authority table


def test_published_table_is_the_codes() -> None:
    """docs/spec/authority.csv is what the code says, byte for byte."""
    assert (ROOT / "docs/spec/authority.csv").read_text(encoding="utf-8") == authority_csv()


@pytest.mark.parametrize("name", NAMES)
def test_attestation_is_the_services_alone(name: str) -> None:
    """The service signs its listed types with `attestation` and nothing else does (record-format.md §6)."""
    known = SPECS[name]
    expected = {"service": frozenset({"attestation"})} if known.type in SERVICE_TYPES else {}
    assert {role: meanings for role, meanings in known.roles.items() if "attestation" in meanings} == expected
    if known.type in SERVICE_TYPES:
        assert set(known.roles) == {"service"}
    else:
        assert "service" not in known.roles


@pytest.mark.parametrize("name", NAMES)
def test_root_signs_only_its_types(name: str) -> None:
    """Root holds no clinical role (record-format.md §6)."""
    known = SPECS[name]
    if "root" in known.roles:
        assert known.type.partition(".")[0] in ROOT_NOUNS
        assert known.cls == "control"


@pytest.mark.parametrize("type_", ["correction.made", "record.voided"])
def test_neither_monitor_nor_sponsor_corrects(type_: str) -> None:
    """Data belong to the site: corrections and voidings are its own (catalogue H)."""
    for known in all_specs():
        if known.type == type_:
            assert not {role for role in known.roles if "monitor" in role or "sponsor" in role}
            assert "data_manager" not in known.roles


@pytest.mark.parametrize(
    ("type_", "voidable", "cosigned"),
    [
        ("consent.obtained", True, True),
        ("eligibility.confirmed", True, True),
        ("dose.administered", True, True),
        ("participant.withdrawn", True, True),
        ("vital_signs.recorded", True, False),
        ("participant.randomized", False, False),
        ("randomization.requested", False, False),
        ("key.revoked", False, False),
        ("role.granted", False, False),
        ("record.cosigned", False, False),
        ("command.refused", False, False),
        ("export.generated", False, False),
    ],
)
def test_voiding(type_: str, *, voidable: bool, cosigned: bool) -> None:
    """What may be voided, and what then needs the investigator's co-signature (catalogue H)."""
    known = spec(type_, 1)
    assert (known.voidable, known.voiding_cosigned) == (voidable, cosigned)


@needs_shared
def test_effects_are_the_catalogues() -> None:
    """Each type that the catalogue calls a gate or a fact without doubt is that here."""
    seen = 0
    for line in (SHARED / "spec/catalogue.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("| `") or len(cells) < 3 or cells[1] not in ("G", "F"):
            continue
        noun = ""
        for name in re.findall(r"`([a-z_]*\.[a-z_]+)`", cells[0]):
            noun = name.partition(".")[0] or noun
            known = find_spec(noun + "." + name.partition(".")[2], 1)
            if known is not None:
                assert known.effect is {"G": Effect.GATE, "F": Effect.FACT}[cells[1]], known.type
                seen += 1
    assert seen > 40


def test_the_number_of_an_identity_document_is_refused() -> None:
    """Its kind is told and no number: the statement is in every bundle and never erased (catalogue A)."""
    data = {"by": "root1", "document": "passport", "method": "in person", "person": "aruiz"}
    parse_data(spec("identity.verified", 1), data)
    with pytest.raises(FormatError) as caught:
        parse_data(spec("identity.verified", 1), {**data, "document": "passport X1234567"})
    assert (caught.value.code, caught.value.field) == ("DATA", "/data/document")
