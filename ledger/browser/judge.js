// Judge one bundle in the order of record-format.md §10, as far as a browser can, and collect every finding.

const PAYLOADS = WIDTH * (32768 + 1);

/* What is not a refusal of ours is a fault of this page: nothing passes then. */
function refusal(error) {
  return error instanceof Refusal ? error : new Refusal("UNJUDGED", `this page failed: ${error?.name}`);
}

class Report {
  constructor(stated) {
    this.stated = stated;
    this.findings = [];
    this.facts = {};
    this.unchecked = new Map(); // what could not be checked here -> how often
    this.grades = new Map();
    this.entries = [];
    this.complete = false;
    this.seen = new Set();
    this.add = this.add.bind(this);
  }

  add(error, { index = null, file = error.file ?? null } = {}) {
    const key = `${error.code} ${index} ${file} ${error.message}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    const verdict = TABLES.findings[error.code]?.[0] ?? (error.code === "POLICY" ? "unusable" : "integrity");
    this.findings.push({ code: error.code, verdict, index, file, detail: error.message });
  }

  leave(what) {
    this.unchecked.set(what, (this.unchecked.get(what) ?? 0) + 1);
  }

  /* One of the three verdicts, in the words of `trial-ledger verify` but for what it would say "holds" of. */
  verdict(name) {
    if (this.findings.some((each) => each.verdict === name)) return "fails";
    const isStopped = this.findings.some((each) => each.verdict === "unusable" && each.code !== "UNPINNED");
    return this.complete && !isStopped ? "no fault found" : "not judged";
  }

  /* The end of it: what the exit codes 1, 3 and 0 are of `trial-ledger verify`, judged by what is judged here. */
  get outcome() {
    const problems = this.findings.filter((each) => each.verdict !== "note");
    if (problems.some((each) => each.verdict !== "unusable")) return "fails";
    if (!this.complete || problems.some((each) => each.code !== "UNPINNED")) return "unusable";
    return problems.length > 0 ? "unpinned" : "no fault found";
  }
}

async function judgeBundle(bundle, stated, progress) {
  const report = new Report(stated);
  try {
    await new Judge(bundle, stated, report, progress).run();
  } catch (error) {
    report.add(refusal(error));
  }
  report.findings.sort((one, other) => (one.index ?? -1) - (other.index ?? -1));
  return report;
}

class Judge {
  constructor(bundle, stated, report, progress) {
    Object.assign(this, { bundle, stated, report, progress });
    this.people = new People();
    this.ids = new Set();
    this.events = new Map(); // event -> {index, known, person}, of every entry so far
    this.named = new Map(); // attachment -> size
    this.approvals = new Map(); // event of an approval to erase -> {person, statement, digests}
    this.erased = new Map(); // digest -> index of the statement that says so
    this.continues = false;
  }

  async run() {
    const { report, bundle, stated } = this;
    const policy = await parsePolicy(stated.policy);
    const ledgerId = stated.ledgerId || policy.ledgerId;
    if (ledgerId === null) report.add(new Refusal("UNPINNED", "no ledger id was given"));
    const note = await this.#note(policy);
    if (note === null) return;
    Object.assign(report.facts, { origin: note.origin, size: note.size, root: base64(note.root), ledgerId });
    if (Math.ceil(note.size / WIDTH) > bundle.names.length) {
      report.add(new Refusal("FILE_MISSING", "fewer files than entry bundles"), { file: "tile/entries" });
      return;
    }
    await checkNames(bundle, note.size, report.add);
    const { tree, leaves } = await readTree(bundle, note, report.add, this.progress);
    Object.assign(this, { tree, leaves });
    if (note.size === 0) report.add(new Refusal("LEDGER_ID", "the log is empty, so it has no leaf 0"));
    else if (ledgerId !== null && leaves[0] !== null && hex(await leafHash(leaves[0])) !== ledgerId) {
      report.add(new Refusal("LEDGER_ID", "leaf 0 has another hash than the ledger id"), { index: 0 });
    }
    await this.#previous(policy, note);
    await checkProofs(bundle, note, tree, report.add);
    await this.#walk(note, policy);
    report.complete = true;
  }

  /* Nothing after the note is read until the signatures of the log hold. */
  async #note(policy) {
    const { report } = this;
    const bad = (error) => report.add(error, { file: "checkpoint" });
    try {
      const bytes = await this.bundle.read("checkpoint", MAX_NOTE);
      const note = { ...parseNote(bytes), bytes };
      const keys = policy.logs.filter((key) => key.name === note.origin);
      const lines = await checkedLines(note, keys, "LOG_SIGNATURE");
      if (keys.length === 0 || lines.length !== keys.length || !lines.some(([key]) => key.algorithm === ED25519)) {
        throw new Refusal("LOG_SIGNATURE", "a line of the log that the policy demands is missing");
      }
      if (!keys.some((key) => key.algorithm === ML_DSA_44)) {
        throw new Refusal("LOG_SIGNATURE", "the policy lists no post-quantum key of the log");
      }
      for (const [, holds] of lines) if (holds === null) report.leave("the log's post-quantum signature (ML-DSA-44)");
      await this.#quorum(policy, note, bad);
      return note;
    } catch (error) {
      bad(refusal(error));
      return null;
    }
  }

  async #quorum(policy, note, bad) {
    try {
      const lines = await checkedLines(note, policy.witnesses.map((each) => each.key), "LOG_SIGNATURE");
      const signed = lines.filter(([, holds]) => holds === true).map(([key]) => key);
      const names = policy.witnesses.filter((each) => signed.includes(each.key)).map((each) => each.name);
      for (const [, holds] of lines) if (holds === null) this.report.leave("a witness's post-quantum cosignature");
      if (!isQuorum(policy, names)) bad(new Refusal("QUORUM", `expected the quorum ${policy.quorum}`));
    } catch (error) {
      bad(refusal(error));
    }
    if (policy.quorum === "none") bad(new Refusal("NO_QUORUM", "the policy asks for no witness"));
  }

  /* An earlier checkpoint that the auditor holds is of this log's past. */
  async #previous(policy, note) {
    if (this.stated.previous === null) return;
    const bad = (detail) => this.report.add(new Refusal("PREVIOUS", detail));
    try {
      const earlier = parseNote(this.stated.previous);
      const keys = policy.logs.filter((key) => key.name === earlier.origin);
      const lines = await checkedLines(earlier, keys, "PREVIOUS");
      for (const [, holds] of lines) if (holds === null) this.report.leave("the earlier checkpoint's post-quantum signature");
      if (!lines.some(([key]) => key.algorithm === ED25519)) bad("expected an Ed25519 line of the log");
      else if (earlier.origin !== note.origin) bad(`the earlier checkpoint is of another log: ${earlier.origin}`);
      else if (earlier.size > note.size) {
        const sizes = `${earlier.size.toLocaleString("en")} events, this log ${note.size.toLocaleString("en")}`;
        bad(`the earlier checkpoint is of ${sizes}: this export is older, or its end was cut off`);
      } else if (!same(await this.tree.rootAt(earlier.size), earlier.root)) {
        bad(`this log had another root at ${earlier.size.toLocaleString("en")} events: its past was changed`);
      } else {
        this.report.facts.previous = `of ${earlier.size.toLocaleString("en")} events, and this log goes on from it`;
      }
    } catch (error) {
      bad(`the earlier checkpoint does not stand: ${refusal(error).message}`);
    }
  }

  async #walk(note, policy) {
    const { bundle, stated, report } = this;
    const tags = await readStreams(bundle, report.add);
    await readScope(bundle, stated, note.size, report.add);
    const withheld = await readLines(bundle, "withheld.jsonl", "sealed", note.size, isWithheld, report.add);
    const openings = await readLines(bundle, "disclosures.jsonl", "open", note.size, isDisclosure, report.add);
    this.shown = new Shown(stated, tags, withheld, openings, report.add);
    this.chain = new Chain(this.tree);
    for (let start = 0; start < note.size; start += WIDTH) {
      const width = Math.min(WIDTH, note.size - start);
      const parsed = await this.#chunk(start, width);
      const checks = [];
      for (const entry of parsed) {
        await this.#entry(entry, note, policy, checks);
        if (entry.index % 32 === 31) await breathe();
      }
      await Promise.all(checks);
      await this.progress("Checking statements and signatures", start + width, note.size);
    }
    this.shown.finish(this.erased);
    for (const name of bundle.names.filter((each) => each.startsWith("attachments/"))) {
      if (!this.named.has(name)) report.add(new Refusal("FILE_EXTRA", "no statement shown names it"), { file: name });
    }
    Object.assign(report.facts, this.shown.counts, { erased: this.erased.size });
    Object.assign(report, { tree: this.tree, leaves: this.leaves, bundle, openings, erased: this.erased });
  }

  /* Parse the entries of one bundle side by side: leaf, statement, and whether the leaf commits to it. */
  async #chunk(start, width) {
    const file = payloadsPath(start / WIDTH, width);
    let lines = [];
    try {
      const data = await this.bundle.read(file, PAYLOADS);
      lines = splitLines(data, { isWhole: false });
      if (lines.length !== width || (width > 0 && data.at(-1) !== 10)) {
        throw new Refusal("PAYLOAD_LINES", `expected ${width} lines, each with LF`);
      }
    } catch (error) {
      this.report.add(refusal(error), { index: start, file });
    }
    return Promise.all(Array.from({ length: width }, (_, at) => this.#parse(start + at, lines[at] ?? null)));
  }

  async #parse(index, payload) {
    const entry = { index, leaf: null, statement: null, pae: null, isShown: payload === null || payload.length > 0, error: null };
    try {
      if (this.leaves[index] === null) return entry;
      entry.leaf = parseLeaf(this.leaves[index]);
      if (payload === null || payload.length === 0) return entry;
      entry.pae = authenticated(TABLES.payloadType, payload);
      if (hex(await sha256(entry.pae)) !== entry.leaf.statement) {
        throw new Refusal("STATEMENT_HASH", "the leaf commits to another statement");
      }
      entry.statement = parseStatement(payload);
      if (entry.statement.seen.size <= index) await this.tree.rootAt(entry.statement.seen.size);
    } catch (error) {
      entry.error = refusal(error);
    }
    return entry;
  }

  async #entry({ index, leaf, statement, pae, isShown, error: unread }, note, policy, checks) {
    const { report } = this;
    const summary = { index, leaf, statement: null };
    report.entries.push(summary);
    let isClean = true;
    const bad = (error) => {
      isClean = false;
      report.add(refusal(error), { index });
    };
    if (unread !== null) bad(unread);
    if (leaf === null) return;
    const isFresh = !this.events.has(leaf.statement);
    for (const each of await this.chain.check(index, leaf, statement, isShown)) bad(each);
    if (!isShown) this.#withheldKeys(index, leaf, bad);
    this.shown.judge(index, leaf, statement, isShown);
    if (isFresh) this.events.set(leaf.statement, { index, known: null, person: null });
    if (statement !== null) {
      summary.statement = brief(statement);
      const known = TABLES.authority[`${statement.type} ${statement.schema}`] ?? null;
      if (isFresh) Object.assign(this.events.get(leaf.statement), { known, person: statement.actor.id });
      this.#identity(statement, note, isFresh, bad);
      checks.push(this.shown.openings(index, statement, known, this.#scopes(statement, known)));
      const fault = misformed(statement, known);
      if (fault !== null) bad(fault);
      else await this.#authority({ index, leaf, statement, pae, known }, { policy, note, bad, checks, isClean: () => isClean });
    }
    this.chain.advance(leaf, statement);
  }

  #identity(statement, note, isFresh, bad) {
    if (statement.log !== note.origin) bad(new Refusal("LOG", "signed for another log"));
    if (this.ids.has(statement.id)) bad(new Refusal("ID_REUSED", "the id stands in an earlier statement"));
    if (!isFresh) bad(new Refusal("ID_REUSED", "the same statement stands in the log twice"));
    this.ids.add(statement.id);
  }

  /* The scope of each sealed path; a sealed change's values have their target's. */
  #scopes(statement, known) {
    const scopes = new Map();
    for (const path of Object.keys(statement.sealed ?? {})) {
      let scope = scopeAt(known, path);
      if (scope === "target") {
        const target = this.events.get(statement.data.statement);
        scope = typeof statement.data.path === "string" ? scopeAt(target?.known, statement.data.path) : null;
      }
      if (scope !== null && scope !== "target") scopes.set(path, scope);
    }
    return scopes;
  }

  /* Whether the statement may stand here and is signed by whom it must be, and what it changes then. */
  async #authority({ index, leaf, statement, pae, known }, { policy, note, bad, checks, isClean }) {
    this.#references(statement, known, index, bad);
    if (index === 0) this.#genesis(statement, note, policy, bad);
    for (const each of attachmentsOf(statement.data)) await this.#attachment(index, each);
    try {
      const brought = BRINGING.has(statement.type) ? await broughtBy(statement) : NOTHING;
      for (const each of this.people.judge(index, leaf, statement, known, brought)) {
        if (each.code !== "LOG" || statement.log === note.origin) bad(each); // else it is said already
      }
      this.#persons(statement, bad);
      const signatures = this.#signatures(leaf, statement, pae, brought, bad);
      // What changes who may sign is folded only once its own signatures hold; others need not be waited for.
      if (statement.class !== "control") checks.push(signatures);
      else if ((await signatures) && isClean()) this.#fold(leaf.statement, statement, index, brought);
    } catch (error) {
      bad(error instanceof TypeError ? new Refusal("DATA", "the data are not of the form of their type") : error);
    }
  }

  #fold(event, statement, index, brought) {
    const { type, data, actor } = statement;
    this.people.fold(statement, index, brought);
    if (type === "erasure.approved") {
      this.approvals.set(event, { person: actor.id, statement: data.statement, digests: new Set(data.digests) });
    }
    if (type !== "personal_data.erased") return;
    for (const digest of data.digests) if (!this.erased.has(digest)) this.erased.set(digest, index);
    const where = this.events.get(data.statement)?.index;
    const by = data.approvals.map((each) => this.approvals.get(each).person).join(" and ");
    const count = data.digests.length === 1 ? "1 sealed value" : `${data.digests.length} sealed values`;
    const detail = `${count}${where === undefined ? "" : ` of index ${where}`}, approved by ${by}`;
    this.report.add(new Refusal("ERASED", detail), { index });
  }

  /* Two people where two are asked for: of an erasure's approvals, and of a record and its co-signature. */
  #persons({ type, data, actor }, bad) {
    if (type === "record.cosigned" && this.events.get(data.statement)?.person === actor.id) {
      bad(new Refusal("SAME_PERSON", "co-signed by who signed it"));
    }
    if (type !== "personal_data.erased") return;
    const named = data.approvals.map((each) => this.approvals.get(each));
    const covers = (each) => each?.statement === data.statement && data.digests.every((digest) => each.digests.has(digest));
    const persons = new Set(named.filter(covers).map((each) => each.person));
    if (named.includes(undefined)) bad(new Refusal("REFERENCE", "/data/approvals does not name approvals"));
    else if (persons.size < 2) bad(new Refusal("SAME_PERSON", "an erasure without two people's approvals of it"));
  }

  #references(statement, known, index, bad) {
    for (const name of known.references) {
      const value = statement.data[name];
      for (const event of Array.isArray(value) ? value : [value ?? null]) {
        if (event === null || (this.events.get(event)?.index ?? index) < index) continue;
        if (this.continues) this.report.leave("references that may be to an event of the older log");
        else bad(new Refusal("REFERENCE", `/data/${name} does not name an earlier statement`));
      }
    }
  }

  #genesis(statement, note, policy, bad) {
    const { data } = statement;
    if (data.origin !== note.origin) bad(new Refusal("LOG", "the opening names another origin than its statement"));
    const listed = policy.logs.filter((key) => key.name === note.origin).map((key) => key.vkey);
    const named = Array.isArray(data.log_keys) ? data.log_keys : [];
    if (listed.length !== named.length || !listed.every((key) => named.includes(key))) {
      bad(new Refusal("LOG_KEYS", "leaf 0 does not name the log keys that the policy lists"));
    }
    // A page has one bundle: what an older epoch holds is judged by `trial-ledger verify --continues`.
    if (data.continues) {
      this.continues = true;
      const missing = `${data.continues.size} entries of an older log are not given`;
      this.report.add(new Refusal("EPOCH_MISSING", missing), { index: 0 });
    }
  }

  /* What is wrong with an attachment is said of it, and takes nothing from the statement that names it. */
  async #attachment(index, { sha256: digest, size }) {
    const name = `attachments/${digest}`;
    const bad = (code, detail) => this.report.add(new Refusal(code, detail), { index, file: name });
    const known = this.named.get(name) ?? size;
    const isNew = !this.named.has(name);
    this.named.set(name, known);
    if (known !== size || size > MAX_ATTACHMENT) bad("ATTACHMENT", "a size that the attachment can't have");
    else if (!this.bundle.files.has(name)) bad("ATTACHMENT_MISSING", "the bytes are not in the bundle");
    else if (isNew) {
      try {
        const bytes = await this.bundle.read(name, MAX_ATTACHMENT);
        const isRight = bytes.length === size && hex(await sha256(bytes)) === digest;
        if (!isRight) bad("ATTACHMENT", "not the bytes of this hash and size");
      } catch (error) {
        const { code, message } = refusal(error);
        bad(code, message);
      }
    }
  }

  #withheldKeys(index, leaf, bad) {
    if (this.people.isStranger(leaf)) bad(new Refusal("ROLE_NOT_ALLOWED", "withheld, by somebody who signs nothing of its class"));
    for (const sig of leaf.sigs) {
      const key = this.people.keys.get(sig.key);
      if (key === undefined) bad(new Refusal("KEY_UNKNOWN", "withheld, signed by a key that the log does not know"));
      else if (!this.people.isLive(sig.key, index)) bad(new Refusal("KEY_REVOKED", "withheld, signed by an ended key"));
      else if (key.alg !== sig.alg) bad(new Refusal("KEY_ALG", "withheld, signed by a key of another algorithm"));
    }
  }

  /* Check the signature set; resolve to whether all of it holds. */
  async #signatures(leaf, statement, pae, brought, bad) {
    try {
      const wanted = refsOf(statement);
      const isSet =
        leaf.sigs.length === wanted.length &&
        leaf.sigs.every((sig, at) => sig.alg === wanted[at].alg && sig.key === wanted[at].id);
      if (!isSet) throw new Refusal("SIGNATURE_SET", `expected ${wanted.length} signatures, in order`);
      // The fold is read now, before a later entry changes it.
      const keys = this.people.signers(statement, brought);
      const grade = keys[0].grade ?? "unknown";
      for (const [at, key] of keys.entries()) {
        const holds = await checkSignature(key, pae, leaf.statement, leaf.sigs[at]);
        if (holds === null) this.report.leave(`signatures by ${key.alg}`);
      }
      this.report.grades.set(grade, (this.report.grades.get(grade) ?? 0) + 1);
      return true;
    } catch (error) {
      bad(error);
      return false;
    }
  }
}

const BRINGING = new Set(["ledger.opened", "policy.changed", "key.enrolled", "key.rotated"]);
const NOTHING = new Map();

/* What is wrong with a statement for its type, as far as the table of types tells; null where nothing is. */
function misformed(statement, known) {
  if (known === null) return new Refusal("UNKNOWN_TYPE", "a type or schema that the authority table does not have");
  if (!known.streams.includes(statement.stream.split("/")[0])) {
    return new Refusal("STREAM", "expected a stream that this type stands in");
  }
  const expected = new Set(Object.keys(known.sealed));
  if (statement.reason !== undefined) expected.add("/reason/text");
  const sealed = Object.keys(statement.sealed ?? {});
  if (sealed.length !== expected.size || !sealed.every((path) => expected.has(path))) {
    return new Refusal("SEALED_PATHS", "expected exactly the sealed paths of this type");
  }
  if (!isKind(known.data, statement.data)) return new Refusal("DATA", "the data are not of the form of their type");
  if (known.reason && statement.reason === undefined) return new Refusal("DATA", "expected a reason, which this type must have");
  return null;
}

function brief(statement) {
  const { type, stream, site, actor, meaning, occurred_at: occurred } = statement;
  return { type, stream, site: site ?? "", name: actor.name, role: actor.role, meaning, occurred };
}
