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

  add(error, { index = null, file = null } = {}) {
    const key = `${error.code} ${index} ${file} ${error.message}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    const verdict = TABLES.findings[error.code]?.[0] ?? "integrity";
    this.findings.push({ code: error.code, verdict, index, file, detail: error.message });
  }

  leave(what) {
    this.unchecked.set(what, (this.unchecked.get(what) ?? 0) + 1);
  }

  /* `verdict` holds only where everything was gone through and nothing speaks against it. */
  holds(verdict) {
    const against = this.findings.some((each) => each.verdict === verdict || each.verdict === "unusable");
    return this.complete && !against;
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
    this.events = new Set();
    this.named = new Map();
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
    checkNames(bundle, note.size, report.add);
    const { tree, leaves } = await readTree(bundle, note.size, report.add, this.progress);
    this.tree = tree;
    this.leaves = leaves;
    if (!same(await tree.rootAt(note.size), note.root)) {
      report.add(new Refusal("ROOT", "the leaves do not hash to the signed root"), { file: "checkpoint" });
    }
    if (ledgerId !== null && (note.size === 0 || hex(tree.levels[0][0]) !== ledgerId)) {
      report.add(new Refusal("LEDGER_ID", "leaf 0 has another hash than the ledger id"), { index: 0 });
    }
    await this.#walk(note, policy);
    report.complete = true;
  }

  /* Nothing after the note is read until the signatures of the log hold. */
  async #note(policy) {
    const { report } = this;
    const bad = (error) => report.add(error, { file: "checkpoint" });
    try {
      const note = parseNote(await this.bundle.read("checkpoint", 1_000_000));
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
    if (policy.quorum === "none") {
      bad(new Refusal("NO_QUORUM", "the policy asks for no witness"));
      return;
    }
    try {
      const lines = await checkedLines(note, policy.witnesses.map((each) => each.key), "LOG_SIGNATURE");
      const signed = lines.filter(([, holds]) => holds === true).map(([key]) => key);
      const names = policy.witnesses.filter((each) => signed.includes(each.key)).map((each) => each.name);
      for (const [, holds] of lines) if (holds === null) this.report.leave("a witness's post-quantum cosignature");
      if (!isQuorum(policy, names)) bad(new Refusal("QUORUM", `expected the quorum ${policy.quorum}`));
    } catch (error) {
      bad(refusal(error));
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
    this.shown.finish();
    for (const name of bundle.names.filter((each) => each.startsWith("attachments/"))) {
      if (!this.named.has(name)) report.add(new Refusal("FILE_EXTRA", "no statement shown names it"), { file: name });
    }
    Object.assign(report.facts, this.shown.counts);
    Object.assign(report, { tree: this.tree, leaves: this.leaves, bundle, openings });
  }

  /* Parse the entries of one bundle side by side: leaf, statement, and whether the leaf commits to it. */
  async #chunk(start, width) {
    const file = payloadsPath(start / WIDTH, width);
    let lines = null;
    try {
      lines = splitLines(await this.bundle.read(file, PAYLOADS));
      if (lines.length !== width) throw new Refusal("PAYLOAD_LINES", `expected ${width} lines`);
    } catch (error) {
      const known = refusal(error);
      const code = known.code === "FILE_FORM" ? "PAYLOAD_LINES" : known.code;
      this.report.add(new Refusal(code, known.message), { index: start, file });
      lines = null;
    }
    return Promise.all(
      Array.from({ length: width }, (_, at) => this.#parse(start + at, lines === null ? null : lines[at])),
    );
  }

  async #parse(index, payload) {
    const entry = { index, leaf: null, statement: null, pae: null, isShown: payload === null || payload.length > 0 };
    const bad = (error) => this.report.add(refusal(error), { index });
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
      bad(error);
    }
    return entry;
  }

  async #entry({ index, leaf, statement, pae, isShown }, note, policy, checks) {
    const { report } = this;
    const summary = { index, leaf, statement: null };
    report.entries.push(summary);
    if (leaf === null) return;
    let isClean = true;
    const bad = (error) => {
      isClean = false;
      report.add(refusal(error), { index });
    };
    for (const each of await this.chain.check(index, leaf, statement, isShown)) bad(each);
    if (!isShown) this.#withheldKeys(index, leaf, bad);
    this.shown.judge(index, leaf, statement, isShown);
    if (statement !== null) {
      summary.statement = brief(statement);
      await this.#form(index, statement, note, policy, bad);
      const signatures = this.#signatures(index, leaf, statement, pae, bad);
      checks.push(this.shown.openings(index, statement));
      // What changes who may sign is folded only once its own signatures hold; others need not be waited for.
      if (statement.class !== "control") checks.push(signatures);
      else if ((await signatures) && isClean) await this.people.fold(statement, index).catch(bad);
    }
    this.chain.advance(leaf, statement);
  }

  async #form(index, statement, note, policy, bad) {
    if (statement.log !== note.origin) bad(new Refusal("LOG", "signed for another log"));
    if (this.ids.has(statement.id)) bad(new Refusal("ID_REUSED", "the id stands in an earlier statement"));
    this.ids.add(statement.id);
    if (index === 0) this.#genesis(statement, note, policy, bad);
    for (const each of attachmentsOf(statement.data)) await this.#attachment(each, bad);
  }

  #genesis(statement, note, policy, bad) {
    const { type, data } = statement;
    if (type !== "ledger.opened" || data.origin !== note.origin) bad(new Refusal("GENESIS", "not how a log begins"));
    const listed = policy.logs.filter((key) => key.name === note.origin).map((key) => key.vkey);
    const named = Array.isArray(data.log_keys) ? data.log_keys : [];
    if (listed.length !== named.length || !listed.every((key) => named.includes(key))) {
      bad(new Refusal("LOG_KEYS", "leaf 0 does not name the log keys that the policy lists"));
    }
    // A page has one bundle: what an older epoch holds is judged by `trial-ledger verify --continues`.
    if (data.continues) {
      const missing = `${data.continues.size} entries of an older log are not given`;
      this.report.add(new Refusal("EPOCH_MISSING", missing), { index: 0 });
    }
  }

  async #attachment({ sha256: digest, size }, bad) {
    const name = `attachments/${digest}`;
    if (this.named.has(name)) return;
    this.named.set(name, size);
    try {
      const bytes = await this.bundle.read(name, MAX_ATTACHMENT);
      if (bytes.length !== size || hex(await sha256(bytes)) !== digest) {
        throw new Refusal("ATTACHMENT", "not the bytes of this hash and size");
      }
    } catch (error) {
      const known = refusal(error);
      bad(known.code === "FILE_MISSING" ? new Refusal("ATTACHMENT_MISSING", "the bytes are not in the bundle") : known);
    }
  }

  #withheldKeys(index, leaf, bad) {
    for (const sig of leaf.sigs) {
      const key = this.people.keys.get(sig.key);
      if (key === undefined) bad(new Refusal("KEY_UNKNOWN", "withheld, signed by a key that the log does not know"));
      else if (!this.people.isLive(sig.key, index)) bad(new Refusal("KEY_REVOKED", "withheld, signed by an ended key"));
      else if (key.alg !== sig.alg) bad(new Refusal("KEY_ALG", "withheld, signed by a key of another algorithm"));
    }
  }

  /* Check the signature set; resolve to whether all of it holds. */
  async #signatures(index, leaf, statement, pae, bad) {
    try {
      const wanted = [statement.key, ...(statement.with ?? [])];
      const isSet =
        leaf.sigs.length === wanted.length &&
        leaf.sigs.every((sig, at) => sig.alg === wanted[at].alg && sig.key === wanted[at].id);
      if (!isSet) throw new Refusal("SIGNATURE_SET", `expected ${wanted.length} signatures, in order`);
      // Both read the fold now, before a later entry changes it.
      const signing = this.people.signers(statement, index);
      const fault = this.people.actorFault(statement);
      const keys = await signing;
      if (fault !== null) throw fault;
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

function brief(statement) {
  const { type, stream, site, actor, meaning, occurred_at: occurred } = statement;
  return { type, stream, site: site ?? "", name: actor.name, role: actor.role, meaning, occurred };
}
