// Who holds which key, as of an index: the part of the fold of authority that is judged here (record-format.md §6).

class People {
  constructor() {
    this.keys = new Map(); // id -> {alg, point, person, grade, since, until, suspectFrom, by}
    this.points = new Set();
    this.persons = new Map(); // id -> {name, organisation, active}
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

  /* Keys that a statement itself brings in, and whose signature in it is their proof of possession. */
  static brought(statement) {
    const { type, data } = statement;
    if (type === "ledger.opened" || type === "policy.changed") {
      return (Array.isArray(data.root_keys) ? data.root_keys : []).map((root) => root?.key);
    }
    return type === "key.enrolled" || type === "key.rotated" ? [data.key] : [];
  }

  /* The keys that must sign, in order; refuses with KEY_UNKNOWN, KEY_ALG, KEY_ALREADY_ENROLLED or a key's fault. */
  async signers(statement, index) {
    const brought = new Map();
    for (const given of People.brought(statement)) {
      const key = await loadKey(given);
      const known = this.keys.get(key.id);
      const again = known !== undefined && statement.type === "policy.changed" && this.rootKeys.has(key.id);
      if (this.points.has(hex(key.point)) && !again) {
        throw new Refusal("KEY_ALREADY_ENROLLED", "a key that was enrolled before");
      }
      brought.set(key.id, key);
    }
    const refs = [statement.key, ...(statement.with ?? [])];
    for (const id of brought.keys()) {
      const mustSign = statement.type !== "ledger.opened" && !this.keys.has(id);
      if (mustSign && !refs.some((ref) => ref.id === id)) {
        throw new Refusal("PROOF_OF_POSSESSION", "a new key that did not sign its own enrolment");
      }
    }
    return refs.map((ref) => {
      const key = this.keys.get(ref.id) ?? brought.get(ref.id);
      if (key === undefined) throw new Refusal("KEY_UNKNOWN", "a key that the log does not know");
      if (key.alg !== ref.alg) throw new Refusal("KEY_ALG", "a key used for another algorithm");
      if (this.keys.has(ref.id) && !this.isLive(ref.id, index)) {
        throw new Refusal("KEY_REVOKED", "a key that does not count at this index any more");
      }
      return key;
    });
  }

  /* What is wrong with the actor: person, printed name and organisation are those of the key's holder, or null. */
  actorFault(statement) {
    const { actor, type, data } = statement;
    const key = this.keys.get(statement.key.id);
    const roots = type === "ledger.opened" && Array.isArray(data.root_keys) ? data.root_keys : [];
    const own = roots.find((root) => root?.key?.id === statement.key.id);
    const id = key?.person ?? own?.key.person;
    const person = key === undefined ? own : this.person(key.person);
    if (id !== actor.id || person?.name !== actor.name || person?.organisation !== actor.organisation) {
      return new Refusal("ACTOR", "person, printed name or organisation are not those of the key's holder");
    }
    const isActive = key === undefined || person.active;
    return isActive ? null : new Refusal("ACCOUNT_INACTIVE", "a person without an active account");
  }

  async fold(statement, index) {
    const { type, data } = statement;
    if (type === "ledger.opened") await this.#setRoots(data.root_keys, index, null);
    else if (type === "policy.changed" && Array.isArray(data.root_keys)) {
      await this.#setRoots(data.root_keys, index, statement.key.id);
    } else if (type === "account.created" || type === "account.renamed") {
      const active = this.persons.get(data.person)?.active ?? true;
      this.persons.set(data.person, { name: data.name, organisation: data.organisation, active });
    } else if (type === "account.disabled" && this.persons.has(data.person)) {
      this.persons.get(data.person).active = false;
    } else if (type === "key.enrolled") await this.#enrol(data.key, index, statement.key.id);
    else if (type === "key.rotated") await this.#rotate(data, index);
    else if (type === "key.revoked") this.#revoke(data, index);
  }

  async #enrol(given, since, by) {
    const key = await loadKey(given);
    this.keys.set(key.id, { ...key, since, until: null, suspectFrom: null, by });
    this.points.add(hex(key.point));
  }

  async #setRoots(roots, index, by) {
    const ids = new Set(roots.map((root) => root.key.id));
    for (const id of this.rootKeys) {
      const key = this.keys.get(id);
      if (!ids.has(id) && key.until === null) key.until = index + 1;
    }
    for (const root of roots) if (!this.keys.has(root.key.id)) await this.#enrol(root.key, index, by);
    this.roots = new Map(
      roots.map((root) => [root.key.person, { name: root.name, organisation: root.organisation, active: true }]),
    );
    this.rootKeys = ids;
  }

  async #rotate(data, index) {
    await this.#enrol(data.key, index, data.replaces);
    const old = this.keys.get(data.replaces);
    if (old === undefined) return;
    old.until = index + 1;
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
      key.suspectFrom = Math.min(key.suspectFrom ?? since, since);
      for (const [other, each] of this.keys) if (each.by === id && each.since >= since) doomed.push(other);
    }
  }
}
