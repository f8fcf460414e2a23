// What is shown, withheld and opened, against the scope and role that the auditor states (record-format.md §7, §9).

const JSONL = { maxLine: 8 * 1024 * 1024 };
const FIXED = ["checkpoint", "disclosures.jsonl", "withheld.jsonl", "streams.json", "scope.json"];
const CONVENIENCES = ["VERIFY.md", "verify.html"];
const MAX_ATTACHMENT = 8 * 1024 * 1024;

const scopeText = (scope) => (scope.kind === "study" ? "study" : `${scope.kind}:${scope.id}`);

function checkNames(bundle, size, report) {
  const expected = new Set([...FIXED, ...CONVENIENCES]);
  for (const [level, n, width] of tilesFor(size)) expected.add(tilePath(level, n, width));
  for (let start = 0; start < size; start += WIDTH) {
    const width = Math.min(WIDTH, size - start);
    expected.add(entriesPath(start / WIDTH, width)).add(payloadsPath(start / WIDTH, width));
  }
  for (const name of FIXED) {
    if (!bundle.files.has(name)) report(new Refusal("FILE_MISSING", "a file that must be there"), { file: name });
  }
  for (const name of bundle.names) {
    const old = /^consistency\/([1-9][0-9]{0,15})$/.exec(name);
    if (expected.has(name) || /^attachments\/[0-9a-f]{64}$/.test(name) || (old !== null && Number(old[1]) <= size)) continue;
    if (name === "checkpoint.tsr") report(new Refusal("STAMP_UNJUDGED", "not judged in a browser"), { file: name });
    else if (/^(forks|shown)\//.test(name)) report(new Refusal("FILE_UNJUDGED", "not judged in a browser"), { file: name });
    else report(new Refusal("FILE_EXTRA", "a file that the bundle must not have"), { file: name });
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
      if (!Number.isInteger(value?.index) || !isLine(value)) throw new Refusal("FILE_FORM", "a line is not of this form");
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
function splitLines(data) {
  const lines = [];
  let start = 0;
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, start)) {
    lines.push(data.subarray(start, at));
    start = at + 1;
  }
  if (start !== data.length) throw new Refusal("FILE_FORM", "expected lines, each with LF");
  return lines;
}

const hasKeys = (value, keys) => Object.keys(value).length === keys.length && keys.every((key) => Object.hasOwn(value, key));
const isWithheld = (value) =>
  hasKeys(value, ["index", "statement", "why"]) && ["blinded", "scope"].includes(value.why) && HASH.test(value.statement);
const isDisclosure = (value) =>
  hasKeys(value, ["index", "open"]) && value.open !== null && typeof value.open === "object" &&
  Object.keys(value.open).length > 0 && Object.values(value.open).every((text) => typeof text === "string");

async function readScope(bundle, stated, size, report) {
  try {
    const value = decodeCanonical(await bundle.read("scope.json", 4096), { code: "FILE_FORM" });
    const keys = ["kind", "role", "size", ...(value.kind === "study" ? [] : ["id"])];
    closed(value, keys, [], "FILE_FORM", "scope.json");
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
    for (const [stream, salt] of Object.entries(value)) {
      if (!HASH.test(salt) || /^0*$/.test(salt) || !isSalted(stream)) throw new Refusal("FILE_FORM", "a salt of another form");
      tags.set(await streamTag(stream, fromHex(salt)), stream);
    }
  } catch (error) {
    report(refusal(error), { file: "streams.json" });
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
  const isNamed =
    !Array.isArray(value) && hasKeys(value, ["media_type", "sha256", "size"]) && typeof value.media_type === "string" &&
    HASH.test(value.sha256) && Number.isInteger(value.size) && value.size >= 0;
  if (isNamed) yield value;
  else for (const member of Object.values(value)) yield* attachmentsOf(member);
}

/* Completeness, entry by entry (record-format.md §9). */
class Shown {
  constructor(stated, tags, withheld, disclosures, report) {
    Object.assign(this, { stated, tags, withheld, disclosures, report });
    this.tagOf = new Map([...tags].map(([tag, stream]) => [stream, tag]));
    this.unused = new Set(tags.keys());
    this.inside = 0;
    this.digests = new Set();
    this.counts = { shown: 0, withheld: 0, sealed: 0, opened: 0 };
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
    if (!isShown) this.#withheld(index, leaf, line, bad);
    if (statement !== null) this.#labels(statement, bad);
    if (statement === null && this.disclosures.has(index)) bad("DISCLOSURE", "an opening for what is not shown");
  }

  #withheld(index, leaf, line, bad) {
    if (line?.statement !== leaf.statement) bad("WITHHELD_FORM", "withheld, and not listed so");
    if (leaf.class === "control") bad("CONTROL_WITHHELD", "a control statement is in every bundle");
    if (this.tags.has(leaf.stream)) bad("WITHHELD_IN_STREAM", `the salt of ${this.tags.get(leaf.stream)} is given`);
    const sight = TABLES.sights[this.stated.role];
    const seen = leaf.site !== "" ? sight.pharmacy : sight.safety && sight.access;
    if (line?.why === "blinded" && (leaf.class !== "restricted" || seen)) {
      bad("WITHHELD_BLINDED", `the role ${this.stated.role} sees such a statement`);
    }
    if (line?.why === "scope" && this.isInside(leaf, null)) bad("WITHHELD_SCOPE", "inside the stated scope");
  }

  #labels(statement, bad) {
    const { scope, role } = this.stated;
    const sight = TABLES.sights[role];
    const kind = statement.stream.split("/")[0];
    const hidden =
      (kind === "pharmacy" && !sight.pharmacy) || (kind === "safety" && !sight.safety) ||
      (kind === "access" && !sight.access && !sight.ownAccess);
    if (hidden) bad("SHOWN_BLINDED", `the role ${role} does not see ${kind}`);
    const within = scope.kind === "site" ? statement.site === scope.id : statement.stream === `participant/${scope.id}`;
    if (scope.kind !== "study" && statement.class !== "control" && !within) bad("SHOWN_SCOPE", "not of the stated scope");
    const known = this.tagOf.get(statement.stream);
    if (known !== undefined && known !== statement.tag) bad("TAG", "not the tag under the salt that is given");
  }

  async openings(index, statement) {
    const bad = (error) => this.report(error, { index });
    for (const digest of Object.values(statement.sealed ?? {})) {
      this.counts.sealed += 1;
      if (this.digests.has(digest)) bad(new Refusal("DIGEST_REUSED", "a digest of a sealed value occurs twice"));
      this.digests.add(digest);
    }
    for (const [path, disclosure] of Object.entries(this.disclosures.get(index)?.open ?? {})) {
      try {
        await openDisclosure(disclosure, statement, path);
        this.counts.opened += 1;
      } catch (error) {
        bad(refusal(error));
      }
    }
  }

  finish() {
    const { scope } = this.stated;
    if (this.inside === 0) this.report(new Refusal("SCOPE_EMPTY", `nothing in the log is of ${scopeText(scope)}`), {});
    if (scope.kind === "participant" && this.inside > 0 && !this.tagOf.has(`participant/${scope.id}`)) {
      this.report(new Refusal("SALT_MISSING", "without the salt nobody can tell what is missing"), { file: "streams.json" });
    }
    for (const tag of this.unused) {
      this.report(new Refusal("SALT", `no leaf has the tag of ${this.tags.get(tag)}`), { file: "streams.json" });
    }
  }
}
