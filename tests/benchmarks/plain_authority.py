"""Who may sign what at an index, as the plain verifier judges it (record-format.md §6).

A dict of persons and one of keys, changed by each control statement. What single control types demand besides
(a grant is nobody's own, who signs a rotation) is left out: a log has few of them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.benchmarks.plain_form import expect

DEFAULT_GRADES: Final = ("passkey", "client")
BEFORE_ACKNOWLEDGEMENT: Final = ("esignature_policy.acknowledged", "key.revoked")
EXEMPT: Final = ("root", "service")


class Authority:
    """The fold of the control statements so far."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self._persons: dict[str, dict[str, Any]] = {}
        self._roots: dict[str, dict[str, Any]] = {}
        self._grades: dict[str, list[str]] = {}

    def bring(self, statement: Any) -> None:
        """Take in the keys that a statement brings: they sign it too."""
        for key in _brought(statement):
            if key["id"] not in self.keys:
                spki = base64.b64decode(key["spki"])
                expect(key["id"] == "sha256:" + hashlib.sha256(spki).hexdigest(), "key id")
                public = load_der_public_key(spki) if key["alg"] == "ed25519" else None
                self.keys[key["id"]] = {**key, "public": public, "retired": False}

    def judge(self, statement: Any, known: Mapping[str, Any]) -> None:
        """Refuse a statement that its signers may not sign."""
        if statement["type"] == "ledger.opened":
            return
        for ref in (statement["key"], *statement.get("with", [])):
            key = self.keys.get(ref["id"])
            if key is None:
                expect(ref["id"] in [each["id"] for each in _brought(statement)], "key unknown")
                continue
            expect(key["alg"] == ref["alg"] and not key["retired"], "key")
            expect(self._person(key["person"])["active"], "account")
            expect(self._is_of_grade(statement, key["grade"]), "grade")
        actor = statement["actor"]
        person = self._person(self.keys[statement["key"]["id"]]["person"])
        told = (actor["id"], actor["name"], actor["organisation"])
        expect(told == (person["id"], person["name"], person["organisation"]), "actor")
        if actor["role"] not in EXEMPT:
            expect(person["verified"], "identity")
            expect(person["acknowledged"] or statement["type"] in BEFORE_ACKNOWLEDGEMENT, "policy")
        expect(self._holds(actor["id"], actor["role"], statement.get("site")), "role")
        expect(statement["meaning"] in known["roles"].get(actor["role"], ()), "meaning")
        expect((statement["meaning"] == "attestation") == (actor["role"] == "service"), "attestation")

    def fold(self, statement: Any) -> None:
        """Take in what a statement changes."""
        data = statement["data"]
        match statement["type"]:
            case "ledger.opened" | "policy.changed":
                self._roots |= {root["key"]["person"]: _root(root) for root in data.get("root_keys", ())}
                self._grades = dict(data["grades"]) if "grades" in data else self._grades
            case "account.created":
                self._persons[data["person"]] = {
                    "id": data["person"], "name": data["name"], "organisation": data["organisation"],
                    "active": True, "verified": False, "acknowledged": False, "roles": {},
                }  # fmt: skip
            case "account.renamed":
                self._persons[data["person"]] |= {"name": data["name"], "organisation": data["organisation"]}
            case "account.disabled":
                self._persons[data["person"]]["active"] = False
            case "identity.verified":
                self._persons[data["person"]]["verified"] = True
            case "esignature_policy.acknowledged":
                self._persons[data["person"]]["acknowledged"] = True
            case "role.granted":
                self._persons[data["person"]]["roles"][data["role"]] = data["sites"]
            case "role.revoked":
                self._persons[data["person"]]["roles"].pop(data["role"], None)
            case "key.revoked":
                self.keys[data["key"]]["retired"] = True
            case "key.rotated":
                self.keys[data["replaces"]]["retired"] = True

    def _person(self, id_: str) -> dict[str, Any]:
        return self._persons.get(id_) or self._roots[id_]

    def _is_of_grade(self, statement: Any, grade: str) -> bool:
        if grade == "service":
            return bool(statement["actor"]["id"] == "service")
        if statement["actor"]["role"] == "device":
            return grade == "device"
        return grade in self._grades.get(statement["type"], DEFAULT_GRADES)

    def _holds(self, person: str, role: str, site: str | None) -> bool:
        if role == "root":
            return person in self._roots
        if role == "service":
            return person == "service"
        sites = self._persons[person]["roles"].get(role)
        return sites is not None and (site is None or "*" in sites or site in sites)


def _root(root: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": root["key"]["person"],
        "name": root["name"],
        "organisation": root["organisation"],
        "active": True,
    }


def _brought(statement: Any) -> Sequence[Any]:
    if statement["type"] in ("ledger.opened", "policy.changed"):
        return [root["key"] for root in statement["data"].get("root_keys", ())]
    if statement["type"] in ("key.enrolled", "key.rotated"):
        return [statement["data"]["key"]]
    return []
