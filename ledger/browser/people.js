// Who holds which key, role and account as of an index, and whether that lets a statement count: the fold of authority
// (record-format.md §6). The table of types, roles and meanings is the verifier's own.

const SERVICE = "service";
const EXEMPT = ["root", SERVICE];
const DEFAULT_GRADES = ["passkey", "client"];
const ADMINISTRATORS = ["root", "sponsor_administrator"];
const HOLDER_ONLY = ["key.rotated", "key.holder_confirmed", "esignature_policy.acknowledged"];
const BEFORE_ACKNOWLEDGEMENT = ["esignature_policy.acknowledged", "key.revoked"];
const NEVER_CUSTODIAL = ["key.", "role.", "policy.", "erasure.", "personal_data."];
const OF_SOMEONE = [
  "command.refused", "login.succeeded", "login.failed", "login.locked", "session.ended", "edit_check.fired",
  "record.viewed", "trail.viewed", "certified_copy.issued",
];
const OF_A_SIZE = ["certified_copy.issued", "backup.taken", "restore.tested", "export.generated"];

const refsOf = (statement) => [statement.key, ...(statement.with ?? [])];

/* The person whom a statement in a `person/` stream is about, or null. */
function subjectOf({ data }) {
  const person = data.person ?? data.key?.person;
  return typeof person === "string" ? person : null;
}

const isOwn = (statement) => subjectOf(statement) === statement.actor.id;

/* Roles that sign a type in a stream, each with its meanings. */
function rolesIn(known, stream) {
  const roles = TABLES.rights[known.rights];
  if (!stream.startsWith("pharmacy/") || known.streams.length === 1) return roles;
  const sees = ([role]) => role === SERVICE || TABLES.sights[role].pharmacy;
  return Object.fromEntries(Object.entries(roles).filter(sees));
}

/* The keys that a statement itself brings in, by id: as it describes them, and as they load or fail to. */
async function broughtBy({ type, data }) {
  let given = [];
  if (type === "ledger.opened" || type === "policy.changed") given = (data.root_keys ?? []).map((root) => root.key);
  else if (type === "key.enrolled" || type === "key.rotated") given = [data.key];
  const brought = new Map();
  for (const each of given) {
    let [key, error] = [null, null];
    try {
      key = await loadKey(each);
    } catch (caught) {
      error = refusal(caught);
    }
    brought.set(each.id, { given: each, key, error });
  }
  return brought;
}

class People {
  constructor() {
    this.origin = "";
    this.threshold = 1;
    this.grades = new Map(); // type -> grades that the policy allows
    this.keys = new Map(); // id -> {alg, point, person, grade, since, until, by}
    this.points = new Set();
    this.persons = new Map(); // id -> {name, organisation, active, identified, acknowledged, roles, ever}
    this.roots = new Map();
    this.rootKeys = new Set();
  }

  isLive(id, index) {
    const key = this.keys.get(id);
    return key !== undefined && (key.until === null || index < key.until);
  }

  person(id) {
    return this.persons.get(id) ?? this.roots.get(id);
  }

  wasUsed(id) {
    return this.person(id) !== undefined || [...this.keys.values()].some((key) => key.person === id);
  }

  holds(id, role, site) {
    if (role === "root") return this.roots.has(id);
    if (role === SERVICE) return id === SERVICE && this.persons.has(SERVICE);
    const sites = this.persons.get(id)?.roles.get(role);
    return sites !== undefined && (site === null || sites.includes("*") || sites.includes(site));
  }

  /* The keys that must sign, in order; refuses with KEY_UNKNOWN, KEY_ALG, or what loading a brought key found. */
  signers(statement, brought) {
    return refsOf(statement).map((ref) => {
      const own = brought.get(ref.id);
      if (!this.keys.has(ref.id) && own === undefined) throw new Refusal("KEY_UNKNOWN", "a key that the log does not know");
      if (!this.keys.has(ref.id) && own.error !== null) throw own.error;
      const key = this.keys.get(ref.id) ?? own.key;
      if (key.alg !== ref.alg) throw new Refusal("KEY_ALG", "a key used for another algorithm");
      return key;
    });
  }

  /* Every reason why a statement does not count at its index; `known`: the row of its type. */
  judge(index, leaf, statement, known, brought) {
    const found = [];
    const bad = (code, detail) => found.push(new Refusal(code, detail));
    this.#place(index, leaf, statement, known, bad);
    if (index === 0) {
      this.#opening(statement, brought, bad);
      return found;
    }
    this.#keys(index, statement, brought, bad);
    this.#actor(statement, bad);
    this.#role(statement, known, bad);
    this.#special(index, statement, brought, bad);
    return found;
  }

  #place(index, leaf, statement, known, bad) {
    const { type, data, stream } = statement;
    const [kind, subject] = stream.split("/");
    if (index > 0 && statement.log !== this.origin) bad("LOG", "the statement belongs to another log");
    if ((type === "ledger.opened") !== (index === 0)) bad("GENESIS", "ledger.opened stands at index 0 and nowhere else");
    else if (index === 1 && (type !== "account.created" || data.person !== SERVICE)) {
      bad("GENESIS", "index 1 creates the account of the service");
    } else if (index === 2 && (type !== "key.enrolled" || data.key.person !== SERVICE)) {
      bad("GENESIS", "index 2 enrols the key of the service");
    }
    if (kind === "person" && ![null, subject].includes(subjectOf(statement))) bad("STREAM", "the stream is another person's");
    const only = known.streams.length === 1 ? known.streams[0] : "";
    if (only === "access" && subject !== leaf.at.slice(0, 7)) bad("STREAM", "the stream is of another month");
    if (only === "randomization" && subject !== data.list) bad("STREAM", "the stream is another list's");
  }

  #opening(statement, brought, bad) {
    const { data, actor } = statement;
    const roots = new Map(data.root_keys.map((root) => [root.key.id, root]));
    this.#rootKeys(data.root_keys, bad);
    if (statement.meaning !== "approval") bad("MEANING_NOT_ALLOWED", "a ledger is opened by approval");
    const count = new Set(data.root_keys.map((root) => root.key.person)).size;
    if (!(data.threshold >= 1 && data.threshold <= count)) bad("THRESHOLD", "expected 1 to the number of root persons");
    const ids = refsOf(statement).map((ref) => ref.id);
    if (new Set(ids).size !== ids.length) bad("SIGNATURE_SET", "a key signs once");
    if (!ids.every((id) => roots.has(id))) bad("KEY_UNKNOWN", "index 0 is signed by its root keys alone");
    const signed = new Set(ids.filter((id) => roots.has(id)).map((id) => roots.get(id).key.person));
    if (signed.size < data.threshold) bad("THRESHOLD", "too few root persons signed");
    const root = roots.get(statement.key.id);
    const expected = [root?.key.person, root?.name, root?.organisation, "root"];
    const printed = [actor.id, actor.name, actor.organisation, actor.role];
    if (root !== undefined && printed.some((text, at) => text !== expected[at])) {
      bad("ACTOR", "name, organisation and role are those of root_keys");
    }
    for (const { error } of brought.values()) if (error !== null) bad(error.code, error.message);
  }

  #rootKeys(roots, bad) {
    const keys = roots.map((root) => root.key);
    const [ids, persons] = ["id", "person"].map((name) => new Set(keys.map((key) => key[name])).size);
    if (ids !== keys.length || persons !== keys.length) bad("ROOT_KEYS", "root keys are of different persons, each once");
    if (keys.some((key) => key.person === SERVICE)) bad("ROOT_KEYS", "the service is no root person");
    if (keys.some((key) => !DEFAULT_GRADES.includes(key.grade) || !isGradeOf(key))) {
      bad("GRADE", "a root key is a passkey, which is a WebAuthn key, or a client's");
    }
  }

  #keys(index, statement, brought, bad) {
    const seen = new Set();
    for (const [at, ref] of refsOf(statement).entries()) {
      if (seen.has(ref.id)) bad("SIGNATURE_SET", "a key signs once");
      seen.add(ref.id);
      const key = this.keys.get(ref.id);
      if (key === undefined) {
        if (at === 0 || !brought.has(ref.id)) bad("KEY_UNKNOWN", "a key that the log does not know");
        else if (brought.get(ref.id).given.alg !== ref.alg) bad("KEY_ALG", "brought in for another algorithm");
        continue;
      }
      if (!this.isLive(ref.id, index)) bad("KEY_REVOKED", "a key that does not count at this index any more");
      if (key.alg !== ref.alg) bad("KEY_ALG", "a key used for another algorithm");
      if (!this.#allowsGrade(statement, key.grade)) bad("GRADE", "the policy does not allow this grade of key for the type");
      if (!this.person(key.person)?.active) bad("ACCOUNT_INACTIVE", "the key's person has no active account");
    }
  }

  #allowsGrade({ type, actor }, grade) {
    if (grade === "custodial" && NEVER_CUSTODIAL.some((start) => type.startsWith(start))) return false;
    if (grade === SERVICE) return actor.id === SERVICE;
    if (actor.role === "device") return grade === "device";
    return (this.grades.get(type) ?? DEFAULT_GRADES).includes(grade);
  }

  #actor(statement, bad) {
    const { actor, type } = statement;
    const key = this.keys.get(statement.key.id);
    if (key === undefined) return;
    const person = (actor.role === "root" ? this.roots : this.persons).get(key.person);
    if (person === undefined || actor.id !== key.person || actor.name !== person.name || actor.organisation !== person.organisation) {
      bad("ACTOR", "person, printed name or organisation are not those of the key's holder");
    } else if (EXEMPT.includes(actor.role)) {
      return;
    } else if (actor.role === "participant" && (actor.name !== actor.id || actor.organisation !== "participant")) {
      bad("ACTOR", "a participant signs under an id, of organisation participant");
    } else if (!person.identified) {
      bad("IDENTITY_UNVERIFIED", "the person's identity is not verified");
    } else if (!person.acknowledged && !(BEFORE_ACKNOWLEDGEMENT.includes(type) && isOwn(statement))) {
      bad("POLICY_UNACKNOWLEDGED", "the signature policy is not acknowledged");
    }
  }

  #role(statement, known, bad) {
    const { actor, type, meaning } = statement;
    if (!Object.hasOwn(TABLES.sights, actor.role)) {
      bad("ROLE_UNKNOWN", "the catalogue does not have this role");
      return;
    }
    if (!this.holds(actor.id, actor.role, statement.site ?? null)) {
      if (this.holds(actor.id, actor.role, null)) bad("SITE_NOT_HELD", "the role is not held on this site");
      else bad("ROLE_NOT_HELD", "the person does not hold this role here");
    }
    const needsHolder = HOLDER_ONLY.includes(type) || (type === "key.revoked" && !ADMINISTRATORS.includes(actor.role));
    if (needsHolder && !isOwn(statement)) bad("HOLDER_ONLY", "only the holder signs this type");
    const allowed = rolesIn(known, statement.stream);
    if (!Object.hasOwn(allowed, actor.role)) bad("ROLE_NOT_ALLOWED", "the role may not sign this type");
    else if (!allowed[actor.role].includes(meaning)) bad("MEANING_NOT_ALLOWED", "the role may not sign this type so");
    if ((meaning === "attestation") !== (actor.role === SERVICE)) bad("ATTESTATION", "attestation is the service's alone");
  }

  /* What single types demand besides. */
  #special(index, statement, brought, bad) {
    const { type, data } = statement;
    if (type === "policy.changed") this.#policy(index, statement, brought, bad);
    else if (type === "account.created") this.#created(data, bad);
    else if (["account.renamed", "account.disabled"].includes(type)) this.#known(data.person, bad);
    else if (type === "training.recorded" && !this.roots.has(data.person)) this.#known(data.person, bad);
    else if (type === "identity.verified") this.#identity(data, bad);
    else if (type === "role.granted") this.#granted(statement, bad);
    else if (type === "role.revoked" && !this.persons.get(data.person)?.roles.has(data.role)) {
      bad("ROLE_NOT_HELD", "the person does not hold this role");
    } else if (type === "key.enrolled") this.#enrolled(statement, brought, bad);
    else if (type === "key.rotated") this.#rotated(index, statement, brought, bad);
    else if (type === "key.holder_confirmed") this.#confirmed(statement, bad);
    else if (type === "key.revoked") this.#revoked(index, data, bad);
    else if (type === "participant.transferred") this.#transferred(index, statement, bad);
    const who = OF_SOMEONE.includes(type) ? data.who : type === "export.generated" ? data.requested_by : undefined;
    if ((who ?? null) !== null && !this.wasUsed(who)) bad("PERSON_UNKNOWN", "the log knows nobody of this id");
    const size = OF_A_SIZE.includes(type) ? data.size : (data.view?.size ?? 0);
    if ((OF_A_SIZE.includes(type) || ["record.viewed", "trail.viewed"].includes(type)) && size > index) {
      bad("INDEX", "it is recorded after it was made");
    }
  }

  #known(id, bad) {
    const person = this.persons.get(id);
    if (person === undefined) bad("PERSON_UNKNOWN", "the log has no account of this person");
    else if (!person.active) bad("ACCOUNT_INACTIVE", "the account is disabled");
  }

  #created(data, bad) {
    if (data.organisation === "participant" && data.name !== data.person) {
      bad("ACTOR", "a participant's printed name is the id");
    } else if (this.wasUsed(data.person)) {
      bad("PERSON_ID_REUSED", "an id is never used again");
    }
  }

  #identity(data, bad) {
    this.#known(data.person, bad);
    if (this.person(data.by) === undefined) bad("PERSON_UNKNOWN", "the log has no account of the verifier");
    if (data.by === data.person) bad("SAME_PERSON", "nobody verifies their own identity");
  }

  #granted({ data, actor }, bad) {
    this.#known(data.person, bad);
    if (data.person === actor.id) bad("SELF_GRANT", "nobody grants a role to themselves");
    if (!Object.hasOwn(TABLES.sights, data.role) || EXEMPT.includes(data.role)) bad("ROLE_UNKNOWN", "this role cannot be granted");
    const ever = new Set([...(this.persons.get(data.person)?.ever ?? []), data.role]);
    const excludes = Object.entries(TABLES.incompatible).some(
      ([role, others]) => ever.has(role) && others.some((other) => ever.has(other)),
    );
    if (this.persons.has(data.person) && (excludes || (ever.has("list_holder") && ever.size > 1))) {
      bad("ROLE_CONFLICT", "the person holds or held a role that excludes it");
    }
    if (this.roots.has(data.person) || data.person === SERVICE) bad("ROLE_CONFLICT", "root and service hold no clinical role");
  }

  #newKey({ given, key, error }, bad) {
    if (error !== null) bad(error.code, error.message);
    else if (this.points.has(hex(key.point))) bad("KEY_ALREADY_ENROLLED", "a key is enrolled once, for ever");
    if ((given.grade === SERVICE) !== (given.person === SERVICE)) bad("GRADE", "grade service is the service's alone");
    if (!isGradeOf(given)) bad("GRADE", "a passkey is a WebAuthn key, and no other is");
  }

  #enrolled(statement, brought, bad) {
    const { key } = statement.data;
    this.#newKey(brought.get(key.id), bad);
    const further = statement.with ?? [];
    if (further.length !== 1 || further[0].id !== key.id) bad("PROOF_OF_POSSESSION", "the new key signs its own enrolment");
    if (this.roots.has(key.person) && !this.persons.has(key.person)) {
      bad("PERSON_UNKNOWN", "root keys change by policy");
      return;
    }
    this.#known(key.person, bad);
    const person = this.persons.get(key.person);
    if (person !== undefined && !person.identified && key.person !== SERVICE) {
      bad("IDENTITY_UNVERIFIED", "identity is verified before the first key");
    }
  }

  #rotated(index, statement, brought, bad) {
    const { key, replaces } = statement.data;
    this.#newKey(brought.get(key.id), bad);
    if (replaces !== statement.key.id) bad("ROTATION_SIGNERS", "the old key signs its rotation");
    const ids = (statement.with ?? []).map((ref) => ref.id);
    if (ids.length !== 2 || ids[0] !== key.id || [key.id, statement.key.id].includes(ids[1])) {
      bad("ROTATION_SIGNERS", "expected the new key and one further key");
      return;
    }
    const third = this.keys.get(ids[1]);
    const isEntitled =
      third !== undefined && this.isLive(ids[1], index) &&
      (third.person === key.person || this.rootKeys.has(ids[1]) || this.holds(third.person, "sponsor_administrator", null));
    if (!isEntitled) bad("ROTATION_SIGNERS", "the further key may not confirm a rotation");
  }

  #confirmed(statement, bad) {
    const { data } = statement;
    const [key, earlier] = [this.keys.get(data.key), this.keys.get(statement.key.id)];
    if (key === undefined || key.person !== data.person) bad("KEY_UNKNOWN", "the person has no such key");
    else if (earlier === undefined || earlier.since >= key.since) bad("KEY_ORDER", "an earlier key confirms a further one");
  }

  #revoked(index, data, bad) {
    const key = this.keys.get(data.key);
    if (key === undefined || key.person !== data.person) bad("KEY_UNKNOWN", "the person has no such key");
    else if ((data.compromised_from ?? 0) > index) bad("INDEX", "a compromise does not begin in the future");
  }

  #transferred(index, statement, bad) {
    const ids = (statement.with ?? []).map((ref) => ref.id);
    const key = ids.length === 1 ? this.keys.get(ids[0]) : undefined;
    const isEntitled =
      key !== undefined && this.isLive(ids[0], index) && key.person !== statement.actor.id &&
      this.holds(key.person, "investigator", statement.data.to);
    if (!isEntitled) bad("TRANSFER_SIGNERS", "the investigator who takes over signs too, nobody else");
  }

  #policy(index, statement, brought, bad) {
    const { data } = statement;
    const signed = refsOf(statement).map((ref) => ref.id);
    const live = signed.filter((id) => this.rootKeys.has(id) && this.isLive(id, index));
    if (new Set(live.map((id) => this.keys.get(id).person)).size < this.threshold) {
      bad("THRESHOLD", "too few root persons signed");
    }
    const roots = data.root_keys ?? [];
    this.#rootKeys(roots, bad);
    for (const { key } of roots) {
      if (this.rootKeys.has(key.id)) {
        this.#keptRoot(index, brought.get(key.id), bad);
        continue;
      }
      this.#newKey(brought.get(key.id), bad);
      if (!signed.includes(key.id)) bad("PROOF_OF_POSSESSION", "a new root key signs too");
      if (this.persons.has(key.person)) bad("ROOT_KEYS", "a root person has no account");
    }
    const count = roots.length > 0 ? new Set(roots.map((root) => root.key.person)).size : this.roots.size;
    const threshold = data.threshold ?? this.threshold;
    if (!(threshold >= 1 && threshold <= count)) bad("THRESHOLD", "expected 1 to the number of root persons");
  }

  #keptRoot(index, { given, error }, bad) {
    const { person, grade, alg } = this.keys.get(given.id);
    if (!this.isLive(given.id, index)) bad("KEY_REVOKED", "a root key that stays still counts");
    else if (person !== given.person || grade !== given.grade || alg !== given.alg) {
      bad("ROOT_KEYS", "a root key that stays is described as it was enrolled");
    } else if (error !== null) bad(error.code, error.message);
  }

  /* Whether the author of a withheld leaf, known to the log, holds no role that signs in its class. */
  isStranger(leaf) {
    const id = this.keys.get(leaf.sigs[0].key)?.person;
    const person = id === undefined ? undefined : this.person(id);
    if (person === undefined || id === SERVICE) return false;
    const kind = leaf.class === "restricted" ? "restricted" : "open";
    const roles = TABLES.signing[`${kind}${leaf.site === "" ? "" : " site"}`];
    return !roles.some((role) => person.roles?.has(role));
  }

  /* Take in what a statement in which nothing is wrong changes. */
  fold(statement, index, brought) {
    const { type, data } = statement;
    const person = this.persons.get(data.person);
    if (type === "ledger.opened") {
      Object.assign(this, { origin: data.origin, threshold: data.threshold });
      this.#setRoots(data.root_keys, index, null, brought);
    } else if (type === "policy.changed") {
      if (data.root_keys !== undefined) this.#setRoots(data.root_keys, index, statement.key.id, brought);
      if (data.threshold !== undefined) this.threshold = data.threshold;
      if (data.grades !== undefined) this.grades = new Map(data.grades);
    } else if (type === "account.created") {
      const { name, organisation } = data;
      const roles = new Map();
      this.persons.set(data.person, { name, organisation, active: true, identified: false, acknowledged: false, roles, ever: new Set() });
    } else if (type === "key.enrolled") this.#enrol(brought.get(data.key.id).key, index, statement.key.id);
    else if (type === "key.rotated") this.#rotate(data, index, brought);
    else if (type === "key.revoked") this.#revoke(data, index);
    else if (person === undefined) return;
    else if (type === "account.renamed") Object.assign(person, { name: data.name, organisation: data.organisation });
    else if (type === "account.disabled") person.active = false;
    else if (type === "identity.verified") person.identified = true;
    else if (type === "esignature_policy.acknowledged") person.acknowledged = true;
    else if (type === "role.granted") {
      person.roles.set(data.role, data.sites);
      person.ever.add(data.role);
    } else if (type === "role.revoked") person.roles.delete(data.role);
  }

  #enrol(key, since, by) {
    this.keys.set(key.id, { ...key, since, until: null, by });
    this.points.add(hex(key.point));
  }

  #setRoots(roots, index, by, brought) {
    const ids = new Set(roots.map((root) => root.key.id));
    for (const id of this.rootKeys) {
      const key = this.keys.get(id);
      if (!ids.has(id) && key.until === null) key.until = index + 1;
    }
    for (const { key } of roots) if (!this.keys.has(key.id)) this.#enrol(brought.get(key.id).key, index, by);
    this.roots = new Map(
      roots.map((root) => [root.key.person, { name: root.name, organisation: root.organisation, active: true }]),
    );
    this.rootKeys = ids;
  }

  #rotate(data, index, brought) {
    this.#enrol(brought.get(data.key.id).key, index, data.replaces);
    this.keys.get(data.replaces).until = index + 1;
    if (this.rootKeys.delete(data.replaces)) this.rootKeys.add(data.key.id);
  }

  /* End a key from the next index on, with every key that it brought in since the compromise. */
  #revoke(data, index) {
    const since = data.compromised_from ?? null;
    const doomed = [data.key];
    const done = new Set();
    while (doomed.length > 0) {
      const id = doomed.pop();
      const key = this.keys.get(id);
      if (done.has(id) || key === undefined) continue;
      done.add(id);
      key.until ??= index + 1;
      if (since === null) continue;
      for (const [other, each] of this.keys) if (each.by === id && each.since >= since) doomed.push(other);
    }
  }
}

const isGradeOf = (key) => (key.grade === "passkey") === (key.alg === "webauthn-es256");
