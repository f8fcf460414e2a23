// Signed notes, checkpoints and the auditor's policy (c2sp.org/signed-note, tlog-checkpoint, tlog-policy; §5).

const ORIGIN = /^[a-z0-9][a-z0-9.:/_-]{2,199}$/;
const MAX_NOTE = 1_000_000;
const MAX_LINES = 100; // of a policy, of each kind, and signatures of a note
const ED25519 = 1;
const COSIGNATURE_ED25519 = 4;
const ML_DSA_44 = 6;
const PUBLIC_BYTES = { [ED25519]: 32, [COSIGNATURE_ED25519]: 32, [ML_DSA_44]: 1312 };
const SIGNATURE_BYTES = { [ED25519]: 64, [COSIGNATURE_ED25519]: 72, [ML_DSA_44]: 2428 };

const EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const LOG_TYPES = [ED25519, ML_DSA_44];
const WITNESS_TYPES = [COSIGNATURE_ED25519, ML_DSA_44];

const isKeyName = (name) => !/[+\s\x00-\x1f\x7f]/.test(name) && utf8(name).length >= 1 && utf8(name).length <= 255;

async function parseVkey(text) {
  const match = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text);
  if (match === null || !isKeyName(match[1])) throw new Refusal("POLICY", "expected <name>+<8 hex>+<base64>");
  const material = fromBase64(match[3], "POLICY", "the key");
  const [algorithm, bytes] = [material[0], material.subarray(1)];
  if (bytes.length !== PUBLIC_BYTES[algorithm]) throw new Refusal("POLICY", "expected a key of a known type");
  const id = hex((await sha256(utf8(`${match[1]}\n`), material)).subarray(0, 4));
  if (id !== match[2]) throw new Refusal("POLICY", `expected the key id ${id}`);
  return { name: match[1], id, algorithm, bytes, vkey: text };
}

async function keyOf(text, types) {
  const key = await parseVkey(text);
  if (!types.includes(key.algorithm)) throw new Refusal("POLICY", "expected another type of key");
  return key;
}

/* Read the auditor's policy; refuses with POLICY. A last line without its line feed is one that was pasted. */
async function parsePolicy(text) {
  const policy = { ledgerId: null, logs: [], witnesses: [], groups: [], quorum: null };
  const names = new Set(["none"]);
  const members = new Set();
  if (utf8(text).length > MAX_NOTE || /[\x00-\x08\x0b-\x1f\x7f]/.test(text)) {
    throw new Refusal("POLICY", "expected a text of at most 1,000,000 bytes without control characters");
  }
  for (const [number, whole] of text.replace(/\n$/, "").split("\n").entries()) {
    const refuse = (detail) => new Refusal("POLICY", `line ${number + 1}: ${detail}`);
    const line = whole.replace(/^[ \t]+|[ \t]+$/g, "");
    try {
      await readPolicyLine(line, number, policy, { names, members, refuse });
    } catch (error) {
      throw error.message.startsWith("line ") ? error : refuse(error.message);
    }
  }
  if (policy.quorum === null) throw new Refusal("POLICY", "expected a quorum line");
  const points = [...policy.logs, ...policy.witnesses.map((each) => each.key)].map((key) => hex(key.bytes));
  if (new Set(points).size !== points.length) throw new Refusal("POLICY", "a key is listed twice");
  return policy;
}

async function readPolicyLine(line, number, policy, { names, members, refuse }) {
  const words = line.split(/[ \t]+/);
  const naming = (name) => {
    if (names.has(name)) throw refuse(`expected a new name, got ${name}`);
    names.add(name);
  };
  if ([policy.logs, policy.witnesses, policy.groups].some((lines) => lines.length > MAX_LINES)) {
    throw refuse(`expected at most ${MAX_LINES} lines of a kind`);
  }
  if (line.startsWith("#")) {
    if (!line.includes("ledger-id")) return;
    const match = /^# ledger-id ([0-9a-f]{64})$/.exec(line);
    if (match === null || number !== 0) throw refuse("expected `# ledger-id` and 64 hex digits as the first line");
    policy.ledgerId = match[1];
  } else if (words[0] === "log" && (words.length === 2 || words.length === 3)) {
    policy.logs.push(await keyOf(words[1], LOG_TYPES));
  } else if (words[0] === "witness" && (words.length === 3 || words.length === 4)) {
    naming(words[1]);
    policy.witnesses.push({ name: words[1], key: await keyOf(words[2], WITNESS_TYPES) });
  } else if (words[0] === "group" && words.length >= 4) {
    const own = words.slice(3);
    naming(words[1]);
    for (const member of own) {
      if (member === words[1] || member === "none" || !names.has(member)) throw refuse(`expected a name defined above, got ${member}`);
      if (members.has(member)) throw refuse(`${member} is already a member of a group`);
      members.add(member);
    }
    const word = new Map([["all", own.length], ["any", 1]]).get(words[2]);
    const asked = word ?? decimal(words[2], "POLICY", "the threshold");
    if (asked < 1 || asked > own.length) throw refuse("expected a threshold of the group");
    policy.groups.push({ name: words[1], threshold: asked, members: own });
  } else if (words[0] === "quorum" && words.length === 2 && policy.quorum === null) {
    if (!names.has(words[1])) throw refuse(`expected a name defined above, got ${words[1]}`);
    policy.quorum = words[1];
  } else if (line !== "") {
    throw refuse("expected a log, witness, group or quorum line");
  }
}

function parseNote(bytes) {
  const text = decodeUtf8(bytes, "NOTE");
  const split = text.lastIndexOf("\n\n");
  if (split < 0 || !text.endsWith("\n") || /[\x00-\x09\x0b-\x1f]/.test(text)) {
    throw new Refusal("NOTE", "expected a text, an empty line, and signature lines");
  }
  const body = text.slice(0, split + 1);
  const lines = body.split("\n");
  if (lines.length !== 4 || !ORIGIN.test(lines[0])) throw new Refusal("NOTE", "expected origin, size and root");
  const root = fromBase64(lines[2], "NOTE", "the root");
  if (root.length !== 32) throw new Refusal("NOTE", "expected a root of 32 bytes");
  const signatures = text.slice(split + 2, -1).split("\n").map((line) => {
    const match = /^\u2014 ([^+\s]+) ([A-Za-z0-9+/=]+)$/.exec(line);
    const blob = match === null ? new Uint8Array(0) : fromBase64(match[2], "NOTE", "a signature");
    if (blob.length < 5 || !isKeyName(match[1])) throw new Refusal("NOTE", "expected a signature line");
    return { name: match[1], id: hex(blob.subarray(0, 4)), signature: blob.subarray(4) };
  });
  if (signatures.length > MAX_LINES) throw new Refusal("NOTE", `expected at most ${MAX_LINES} signatures`);
  const size = decimal(lines[1], "NOTE", "the size");
  if (size === 0 && hex(root) !== EMPTY_ROOT) throw new Refusal("NOTE", "not the root of an empty tree");
  return { body, origin: lines[0], size, root, signatures };
}

function noteMessage(key, note, time) {
  if (key.algorithm === ED25519) return utf8(note.body);
  if (key.algorithm === COSIGNATURE_ED25519) return utf8(`cosignature/v1\ntime ${time}\n${note.body}`);
  const prefixed = (name) => concat(Uint8Array.of(utf8(name).length), utf8(name));
  return concat(
    utf8("subtree/v1\n\0"), prefixed(key.name), bigEndian(time), prefixed(note.origin), bigEndian(0n),
    bigEndian(BigInt(note.size)), note.root,
  );
}

function bigEndian(number) {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, number);
  return new Uint8Array(view.buffer);
}

/* Check one line: true, false, or null where this browser can't check its algorithm. */
async function checkNoteLine(key, note, line) {
  if (line.signature.length !== SIGNATURE_BYTES[key.algorithm]) return false;
  let [time, signature] = [0n, line.signature];
  if (key.algorithm !== ED25519) {
    time = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0);
    signature = signature.subarray(8);
  }
  if (key.algorithm !== ED25519 && (time === 0n || time >= 2n ** 63n)) return false;
  const message = noteMessage(key, note, time);
  if (key.algorithm === ML_DSA_44) return verifyMlDsa("ML-DSA-44", key.bytes, message, signature);
  return verifyEd25519(key.bytes, message, signature);
}

/* Every line of a listed key: [key, true | null]; one that does not hold rejects the note. */
async function checkedLines(note, keys, code) {
  const checked = [];
  for (const key of keys) {
    const lines = note.signatures.filter((line) => line.name === key.name && line.id === key.id);
    if (lines.length > 1) throw new Refusal(code, `expected one line by ${key.name}+${key.id}, got ${lines.length}`);
    if (lines.length === 0) continue;
    const holds = await checkNoteLine(key, note, lines[0]);
    if (holds === false) throw new Refusal(code, `the signature by ${key.name}+${key.id} does not hold`);
    checked.push([key, holds]);
  }
  return checked;
}

function isQuorum(policy, signed) {
  if (policy.quorum === "none") return true;
  const witnessed = new Set(signed);
  for (const group of policy.groups) {
    if (group.members.filter((name) => witnessed.has(name)).length >= group.threshold) witnessed.add(group.name);
  }
  return witnessed.has(policy.quorum);
}
