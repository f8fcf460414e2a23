// What is shown, withheld and opened, against the scope and role that the auditor states (record-format.md §7, §9).

const JSONL = { maxLine: 8 * 1024 * 1024 };
const FIXED = ["checkpoint", "disclosures.jsonl", "withheld.jsonl", "streams.json", "scope.json"];
const STAMP = "checkpoint.tsr";
const CONSISTENCY = /^consistency\/([1-9][0-9]{0,15})$/;
const MAX_PROOF = 1_100_000;
const CONVENIENCES = ["VERIFY.md", "verify.html"];
const MAX_ATTACHMENT = 8 * 1024 * 1024;

const scopeText = (scope) => (scope.kind === "study" ? "study" : `${scope.kind}:${scope.id}`);

/* Names that a log of this size must and may have; what is not judged is read, so that a zip's checksum of it is. */
async function checkNames(bundle, size, report) {
  const expected = new Set([...FIXED, ...CONVENIENCES, STAMP]);
  for (const [level, n, width] of tilesFor(size)) expected.add(tilePath(level, n, width));
  for (let start = 0; start < size; start += WIDTH) {
    const width = Math.min(WIDTH, size - start);
    expected.add(entriesPath(start / WIDTH, width)).add(payloadsPath(start / WIDTH, width));
  }
  for (const name of FIXED) {
    if (!bundle.files.has(name)) report(new Refusal("FILE_MISSING", "a file that the bundle must have is missing"), { file: name });
  }
  for (const name of bundle.names) {
    const old = CONSISTENCY.exec(name);
    if (expected.has(name) || /^attachments\/[0-9a-f]{64}$/.test(name) || (old !== null && Number(old[1]) <= size)) continue;
    if (/^(forks|shown)\//.test(name)) report(new Refusal("FILE_UNJUDGED", "not judged in a browser"), { file: name });
    else report(new Refusal("FILE_EXTRA", "a file that the bundle must not have"), { file: name });
  }
  if (bundle.files.has(STAMP)) report(new Refusal("STAMP_UNJUDGED", "not judged in a browser"), { file: STAMP });
  for (const name of [...CONVENIENCES, STAMP].filter((each) => bundle.files.has(each))) {
    await bundle.read(name, MAX_ATTACHMENT).catch((error) => report(refusal(error), { file: name }));
  }
}

/* Every `consistency/<old size>` is the one proof that there is, over the bundle's own checkpoint. */
async function checkProofs(bundle, note, tree, report) {
  for (const name of bundle.names) {
    const match = CONSISTENCY.exec(name);
    if (match === null || Number(match[1]) > note.size) continue;
    try {
      const size = Number(match[1]);
      const data = await bundle.read(name, MAX_PROOF);
      const proof = await tree.consistency(size);
      const expected = utf8(["old " + size, ...proof.map(base64)].map((line) => `${line}\n`).join("") + "\n");
      if (!same(data, concat(expected, note.bytes))) throw new Refusal("CONSISTENCY", "not the proof of this tree and checkpoint");
    } catch (error) {
      report(new Refusal("CONSISTENCY", refusal(error).message), { file: name });
    }
  }
}

/* Lines of a .jsonl file by index; the first fault ends the reading of it. */
async function readLines(bundle, name, special, size, isLine, report) {
  const lines = new Map();
  let last = -1;
  try {
    const data = await bundle.read(name, 2 ** 31 - 1);
    const texts = splitLines(data);
    for (const line of texts) {
      const value = decodeCanonical(line, { special, code: "FILE_FORM", maxBytes: JSONL.maxLine });
      if (!isPlain(value) || !Number.isInteger(value.index) || !isLine(value)) throw new Refusal("FILE_FORM", "a line is not of this form");
      if (value.index <= last) throw new Refusal("FILE_FORM", "lines are not in index order, each once");
      if (value.index >= size) throw new Refusal("FILE_FORM", "a line past the end of the log");
      last = value.index;
      lines.set(value.index, value);
    }
  } catch (error) {
    report(refusal(error), { file: name, index: last < 0 ? null : last + 1 });
  }
  return lines;
}

/* Lines by LF alone; the last too ends in one. */
function splitLines(data, { isWhole = true } = {}) {
  const lines = [];
  let start = 0;
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, start)) {
    lines.push(data.subarray(start, at));
    start = at + 1;
  }
  if (isWhole && start !== data.length) throw new Refusal("FILE_FORM", "expected lines, each with LF");
  return lines;
}

const isPlain = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const hasKeys = (value, keys) => Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
const isWithheld = (value) =>
  hasKeys(value, ["index", "statement", "why"]) && ["blinded", "scope"].includes(value.why) && isLike(HASH, value.statement);
const isDisclosure = (value) =>
  hasKeys(value, ["index", "open"]) && isPlain(value.open) &&
  Object.keys(value.open).length > 0 && Object.values(value.open).every((text) => typeof text === "string");

async function readScope(bundle, stated, size, report) {
  try {
    const value = decodeCanonical(await bundle.read("scope.json", 4096), { code: "FILE_FORM" });
    const keys = ["kind", "role", "size", ...(value?.kind === "study" ? [] : ["id"])];
    closed(value, keys, [], "FILE_FORM", "scope.json");
    const texts = keys.filter((key) => key !== "size").map((key) => value[key]);
    const isForm = texts.every((text) => typeof text === "string") && Number.isInteger(value.size);
    if (!isForm || !["study", "site", "participant"].includes(value.kind)) {
      throw new Refusal("FILE_FORM", "expected kind, role, size, and an id but for a study");
    }
    if (scopeText(value) !== scopeText(stated.scope) || value.role !== stated.role || value.size !== size) {
      const detail = `the bundle says ${scopeText(value)} for ${value.role}, stated was ${scopeText(stated.scope)} for ${stated.role}`;
      report(new Refusal("SCOPE_MISMATCH", detail), { file: "scope.json" });
    }
  } catch (error) {
    report(refusal(error), { file: "scope.json" });
  }
}

/* Streams by tag, for every salt that is given. */
async function readStreams(bundle, report) {
  const tags = new Map();
  try {
    const data = await bundle.read("streams.json", 64 * 1024 * 1024);
    const value = decodeCanonical(data, { special: "streams", code: "FILE_FORM", maxBytes: 64 * 1024 * 1024 });
    if (!isPlain(value)) throw new Refusal("FILE_FORM", "expected an object");
    for (const [stream, salt] of Object.entries(value)) {
      if (!isLike(HASH, salt) || /^0*$/.test(salt) || !isSalted(stream)) throw new Refusal("FILE_FORM", "a salt of another form");
      tags.set(await streamTag(stream, fromHex(salt)), stream);
    }
  } catch (error) {
    report(refusal(error), { file: "streams.json" });
    tags.clear();
  }
  return tags;
}

/* Check one opening against the digest that the statement signed; return its value. */
async function openDisclosure(disclosure, statement, path) {
  const wanted = statement.sealed?.[path];
  const fail = (detail) => new Refusal("DISCLOSURE", `${detail} at ${path}`);
  if (wanted === undefined) throw fail("an opening of what is not sealed");
  if (base64url(await sha256(utf8(disclosure))) !== wanted) throw fail("not what the statement commits to");
  const value = decodeCanonical(fromBase64url(disclosure, "DISCLOSURE", "a disclosure"), { code: "DISCLOSURE", maxBytes: 2 ** 24 });
  const isWhole = Array.isArray(value) && value.length === 4 && value[1] === statement.id && value[2] === path;
  if (!isWhole || fromBase64url(String(value[0]), "DISCLOSURE", "a salt").length !== 32) {
    throw fail("expected a disclosure for this statement and path");
  }
  return value[3];
}

function* attachmentsOf(value) {
  if (value === null || typeof value !== "object") return;
  if (Array.isArray(value) || !hasKeys(value, ["media_type", "sha256", "size"])) {
    for (const member of Object.values(value)) yield* attachmentsOf(member);
  } else if (typeof value.media_type === "string" && isLike(HASH, value.sha256) && Number.isInteger(value.size) && value.size >= 0) {
    yield value;
  }
}

/* The scope of a sealed path by the row of its type, or null; "target" where it is that of the value it changes. */
function scopeAt(known, path) {
  if (path === "/reason/text") return "freetext";
  const found = Object.entries(known?.sealed ?? {}).find(([sealed]) => path === sealed || path.startsWith(`${sealed}/`));
  return found === undefined ? null : found[1];
}

function seesScope(sight, scope) {
  if (scope === "access") return sight.access;
  return scope === "treatment" ? sight.treatment === "all" : sight[scope] === true;
}

/* Whether a role sees every statement of a stream, its own sites provided. */
function seesStream(sight, stream) {
  const kind = stream.split("/")[0];
  return ["pharmacy", "safety", "access"].includes(kind) ? sight[kind] : sight.others === "all";
}

/* Completeness, entry by entry (record-format.md §9). */
class Shown {
  constructor(stated, tags, withheld, disclosures, report) {
    Object.assign(this, { stated, tags, withheld, disclosures, report });
    this.sight = TABLES.sights[stated.role];
    this.tagOf = new Map([...tags].map(([tag, stream]) => [stream, tag]));
    this.unused = new Set(tags.keys());
    this.inside = 0;
    this.digests = new Set();
    this.counts = { shown: 0, withheld: 0, sealed: 0, opened: 0 };
    this.noSalt = new Map(); // stream -> [tag, index], shown whole and without its salt
    this.cut = new Set(); // tags of streams of which something is withheld as out of scope
    this.hidden = new Map(); // site -> tag of the one stream there that is withheld as blinded
    this.unopened = new Map(); // digest -> index
    this.openedAt = new Map(); // digest -> index
  }

  isInside(leaf, statement) {
    const { kind, id } = this.stated.scope;
    if (kind === "study") return true;
    if (kind === "site") return leaf.site === id;
    return leaf.stream === this.tagOf.get(`participant/${id}`) || statement?.stream === `participant/${id}`;
  }

  judge(index, leaf, statement, isShown) {
    const bad = (code, detail) => this.report(new Refusal(code, detail), { index });
    this.unused.delete(leaf.stream);
    if (this.isInside(leaf, statement)) this.inside += 1;
    const line = this.withheld.get(index);
    this.counts[isShown ? "shown" : "withheld"] += 1;
    if (isShown && line !== undefined) bad("WITHHELD_FORM", "listed as withheld, but shown");
    if (!isShown) this.#withheld(leaf, line, bad);
    if (statement !== null) this.#labels(index, statement, bad);
    if (statement === null && this.disclosures.has(index)) bad("DISCLOSURE", "an opening for what is not shown");
  }

  #withheld(leaf, line, bad) {
    if (line?.statement !== leaf.statement) bad("WITHHELD_FORM", "withheld, and not listed so");
    if (leaf.class === "control") {
      bad("CONTROL_WITHHELD", "a control statement is in every bundle");
      return;
    }
    if (this.tags.has(leaf.stream)) bad("WITHHELD_IN_STREAM", `the salt of ${this.tags.get(leaf.stream)} is given`);
    const { role } = this.stated;
    const sees = leaf.site !== "" ? this.sight.pharmacy : this.sight.safety && this.sight.access;
    if (line?.why === "blinded" && (leaf.class !== "restricted" || sees)) {
      bad("WITHHELD_BLINDED", `the role ${role} sees such a statement`);
    } else if (line?.why === "blinded" && this.#isAnotherStream(leaf)) {
      bad("WITHHELD_BLINDED", `the role ${role} misses one stream with these labels, and this is another`);
    }
    if (line?.why !== "scope") return;
    this.cut.add(leaf.stream);
    if (this.isInside(leaf, null)) bad("WITHHELD_SCOPE", "inside the stated scope");
  }

  /* A site has one pharmacy stream, the study one of safety; only of `access/` is there one each month. */
  #isAnotherStream(leaf) {
    if (leaf.site === "" && !this.sight.access) return false;
    if (!this.hidden.has(leaf.site)) this.hidden.set(leaf.site, leaf.stream);
    return this.hidden.get(leaf.site) !== leaf.stream;
  }

  #labels(index, statement, bad) {
    const { scope, role } = this.stated;
    const { stream, tag } = statement;
    const kind = stream.split("/")[0];
    const isHidden = isRestricted(stream) && !seesStream(this.sight, stream) && !(kind === "access" && this.sight.ownAccess);
    if (isHidden) bad("SHOWN_BLINDED", `the role ${role} does not see ${kind}`);
    const within = scope.kind === "site" ? statement.site === scope.id : stream === `participant/${scope.id}`;
    if (scope.kind !== "study" && statement.class !== "control" && !within) bad("SHOWN_SCOPE", "not of the stated scope");
    const known = this.tagOf.get(stream);
    if (known !== undefined && known !== tag) bad("TAG", "not the tag under the salt that is given");
    if (isSalted(stream) && known === undefined && seesStream(this.sight, stream) && !this.noSalt.has(stream)) {
      this.noSalt.set(stream, [tag, index]);
    }
  }

  /* `scopes`: the scope of each sealed path, where its type gives one. */
  async openings(index, statement, known, scopes) {
    const bad = (error) => this.report(error, { index });
    const open = this.disclosures.get(index)?.open ?? {};
    for (const [path, digest] of Object.entries(statement.sealed ?? {})) {
      this.counts.sealed += 1;
      if (this.digests.has(digest)) bad(new Refusal("DIGEST_REUSED", "a digest of a sealed value occurs twice"));
      this.digests.add(digest);
      const isMissing = !Object.hasOwn(open, path) && scopes.has(path) && seesScope(this.sight, scopes.get(path));
      if (isMissing) this.unopened.set(digest, index);
    }
    for (const [path, disclosure] of Object.entries(open)) {
      try {
        this.openedAt.set(base64url(await sha256(utf8(disclosure))), index);
        const value = await openDisclosure(disclosure, statement, path);
        this.counts.opened += 1;
        if (!isOpened(known, path, value)) bad(new Refusal("DISCLOSURE", "an opened value is not of its form"));
        const scope = scopes.get(path);
        const isOne = scope === "treatment" && this.sight.treatment === "one";
        if (scope !== undefined && !seesScope(this.sight, scope) && !isOne) {
          bad(new Refusal("SHOWN_BLINDED", `the role ${this.stated.role} does not see ${scope} values`));
        }
      } catch (error) {
        bad(refusal(error));
      }
    }
  }

  /* `erased`: digests that were erased on approval. */
  finish(erased) {
    const { scope, role } = this.stated;
    if (this.inside === 0) this.report(new Refusal("SCOPE_EMPTY", `nothing in the log is of ${scopeText(scope)}`), {});
    if (scope.kind === "participant" && this.inside > 0 && !this.tagOf.has(`participant/${scope.id}`)) {
      this.report(new Refusal("SALT_MISSING", "without the salt nobody can tell what is missing"), { file: "streams.json" });
    }
    for (const [stream, [tag, index]] of this.noSalt) {
      // Of a participant who was transferred, a site's bundle holds a part, and so no salt.
      if (!this.cut.has(tag)) this.report(new Refusal("SALT_MISSING", `the salt of ${stream} is not given`), { index });
    }
    const missing = [...this.unopened].filter(([digest]) => !erased.has(digest));
    if (missing.length > 0) {
      const detail = `${missing.length} sealed values that the role ${role} sees are not opened`;
      this.report(new Refusal("OPENING_MISSING", detail), { index: missing[0][1] });
    }
    for (const [digest, index] of this.openedAt) {
      if (erased.has(digest)) this.report(new Refusal("ERASED_SHOWN", "a value is opened that was erased on approval"), { index });
    }
    for (const tag of this.unused) {
      this.report(new Refusal("SALT", `no leaf has the tag of ${this.tags.get(tag)}`), { file: "streams.json" });
    }
  }
}
