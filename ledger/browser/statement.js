// Leaf and statement: canonical, closed, each member of its own form (record-format.md §2, §4).

const HASH = /^[0-9a-f]{64}$/;
const KEY_ID = /^sha256:[0-9a-f]{64}$/;
const CODE = /^[a-z][a-z0-9_]{0,63}$/;
const SITE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const TYPE = /^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$/;
const DIGEST = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
const CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]";
const INSTANT = new RegExp(`^([0-9]{4})-([0-9]{2})-([0-9]{2})T${CLOCK}:[0-5][0-9]\\.[0-9]{6}Z$`);
const CLINICAL = new RegExp(
  `^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})(?:T${CLOCK}:[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-]${CLOCK}))?)?)?$`,
);
const isLike = (pattern, text) => typeof text === "string" && pattern.test(text);
const ZERO_HASH = "0".repeat(64);
const MEANINGS = ["authorship", "review", "approval", "responsibility", "verification", "attestation"];
const CONTROL = new Set(
  ("ledger policy account identity esignature_policy training role key delegation investigator device " +
    "inspection protocol amendment site irb_approval irb_continuation command_approval consent_form study " +
    "enrolment erasure personal_data system configuration").split(" "),
);
const REQUIRED = "v log id type schema class stream tag seq prev occurred_at signed_at actor key meaning seen data".split(" ");
const OPTIONAL = "site protocol originator with reason sealed".split(" ");
const LEAF = "at class index payload_type sigs site statement stream v".split(" ");

const isRestricted = (stream) => stream === "safety" || /^(?:pharmacy|access)\//.test(stream);
const isSalted = (stream) => stream !== "study" && !/^(?:site|person|randomization)\//.test(stream);

function classOf(type, stream) {
  const noun = type.split(".")[0];
  if (CONTROL.has(noun) || type === "record.reaffirmed") return "control";
  const drawn = ["randomization.requested", "randomization.error_recorded"].includes(type);
  if (noun === "randomization" && !drawn) return "control";
  return isRestricted(stream) ? "restricted" : "open";
}

async function streamTag(stream, salt) {
  return hex(await sha256(utf8("trial-ledger/stream/v1\0"), salt, utf8(stream)));
}

function isDate([, year, month = "01", day = "01"]) {
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  return Number(year) > 0 && date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}

const isAlgorithm = (name) => typeof name === "string" && Object.hasOwn(SPKI, name);

function isTime(text, pattern) {
  const match = typeof text === "string" ? pattern.exec(text) : null;
  return match !== null && isDate(match) && !text.endsWith("-00:00");
}

function parseLeaf(bytes) {
  const leaf = decodeCanonical(bytes, { code: "LEAF", maxBytes: MAX_LEAF });
  closed(leaf, LEAF, [], "LEAF", "a leaf");
  const holds =
    leaf.v === 1 && Number.isInteger(leaf.index) && leaf.index >= 0 &&
    ["control", "open", "restricted"].includes(leaf.class) && isTime(leaf.at, INSTANT) &&
    typeof leaf.payload_type === "string" && isLike(HASH, leaf.statement) && isLike(HASH, leaf.stream) &&
    (leaf.site === "" || isLike(SITE, leaf.site)) && Array.isArray(leaf.sigs) && leaf.sigs.length >= 1 && leaf.sigs.length <= 9;
  if (!holds) throw new Refusal("LEAF", "a member of the leaf is not of its form");
  for (const sig of leaf.sigs) {
    const passkey = sig?.alg === "webauthn-es256";
    closed(sig, passkey ? ["ad", "alg", "cd", "key", "sig"] : ["alg", "key", "sig"], [], "LEAF", "a signature");
    if (!isAlgorithm(sig.alg) || !isLike(KEY_ID, sig.key)) throw new Refusal("LEAF", "a signature of another form");
    for (const name of passkey ? ["sig", "ad", "cd"] : ["sig"]) {
      if (fromBase64(sig[name], "LEAF", name).length === 0) throw new Refusal("LEAF", "an empty signature");
    }
  }
  return leaf;
}

const bad = (member) => new Refusal("STATEMENT", `/${member} is not of its form`);

function isText(text) {
  return typeof text === "string" && text !== "" && [...text].length <= 500;
}

function readKey(key, member) {
  closed(key, ["alg", "id"], [], "STATEMENT", `/${member}`);
  if (!isAlgorithm(key.alg) || !isLike(KEY_ID, key.id)) throw bad(member);
}

function parseStatement(bytes) {
  const value = decodeCanonical(bytes, { code: "STATEMENT" });
  closed(value, REQUIRED, OPTIONAL, "STATEMENT", "a statement");
  if (value.v !== 1) throw bad("v");
  if (!isLike(TYPE, value.type)) throw bad("type");
  if (!isLike(STREAM, value.stream)) throw bad("stream");
  const cls = classOf(value.type, value.stream);
  if (value.class !== cls) throw new Refusal("CLASS", `expected class ${cls} for this type and stream`);
  if (cls === "control" && isSalted(value.stream)) {
    throw new Refusal("CLASS_STREAM", "a control statement stands in an unsalted stream");
  }
  for (const name of ["schema", "seq"]) if (!Number.isInteger(value[name]) || value[name] < 1) throw bad(name);
  if (!isLike(HASH, value.prev) || (value.seq === 1) !== (value.prev === ZERO_HASH)) throw bad("prev");
  if (!isLike(ORIGIN, value.log)) throw bad("log");
  if (!isLike(UUID7, value.id)) throw bad("id");
  if (!isLike(HASH, value.tag)) throw bad("tag");
  if (!isTime(value.occurred_at, CLINICAL)) throw bad("occurred_at");
  if (!isTime(value.signed_at, INSTANT)) throw bad("signed_at");
  if (!MEANINGS.includes(value.meaning)) throw bad("meaning");
  if ("protocol" in value && !isText(value.protocol)) throw bad("protocol");
  if (value.data === null || typeof value.data !== "object" || Array.isArray(value.data)) throw bad("data");
  readPeople(value);
  readSite(value);
  readSealed(value);
  return value;
}

function readPeople(value) {
  closed(value.actor, ["id", "name", "organisation", "role"], [], "STATEMENT", "/actor");
  const { id, name, organisation, role } = value.actor;
  if (![id, name, organisation].every(isText) || !isLike(CODE, role)) throw bad("actor");
  if ("originator" in value) {
    closed(value.originator, ["id", "kind"], ["source"], "STATEMENT", "/originator");
    const kinds = ["person", "participant", "system", "device"];
    const { id: from, kind, source = "none" } = value.originator;
    if (!isText(from) || !kinds.includes(kind) || !isText(source)) throw bad("originator");
  }
  readKey(value.key, "key");
  if ("with" in value) {
    if (!Array.isArray(value.with) || value.with.length < 1 || value.with.length > 8) throw bad("with");
    value.with.forEach((key) => readKey(key, "with"));
  }
  closed(value.seen, ["root", "size"], [], "STATEMENT", "/seen");
  const root = fromBase64(value.seen.root, "STATEMENT", "/seen/root");
  if (root.length !== 32 || !Number.isInteger(value.seen.size) || value.seen.size < 0) throw bad("seen");
}

function readSite(value) {
  const [kind, name] = value.stream.split("/");
  const site = "site" in value ? value.site : null;
  if ("site" in value && !isLike(SITE, site)) throw bad("site");
  const fits =
    kind === "site" || kind === "pharmacy" ? site === name : (kind === "participant") === (site !== null);
  if (!fits) throw new Refusal("SITE", "a site that is not the stream's");
}

function readSealed(value) {
  if ("reason" in value) {
    closed(value.reason, ["code"], [], "STATEMENT", "/reason");
    if (!isLike(CODE, value.reason.code)) throw bad("reason");
  }
  const sealed = "sealed" in value ? value.sealed : {};
  const isObject = sealed !== null && typeof sealed === "object" && !Array.isArray(sealed);
  if (!isObject || ("sealed" in value && Object.keys(sealed).length === 0)) throw bad("sealed");
  for (const [pointer, digest] of Object.entries(sealed)) {
    if (typeof digest !== "string" || !DIGEST.test(digest)) throw bad("sealed");
    const parts = pointer.split("/").slice(1);
    const last = parts.pop();
    const parent = parts.reduce((at, part) => (at !== null && Object.hasOwn(at ?? {}, part) ? at[part] : null), value);
    if (parent === null || typeof parent !== "object" || Array.isArray(parent) || Object.hasOwn(parent, last)) throw bad("sealed");
  }
  if ("/reason/text" in sealed !== "reason" in value) throw bad("sealed");
}
