// Keys and signatures of people (record-format.md §3), by WebCrypto and what it leaves to its caller.

const SPKI = {
  ed25519: ["302a300506032b6570032100", 32],
  es256: ["3059301306072a8648ce3d020106082a8648ce3d030107034200", 65],
  "webauthn-es256": ["3059301306072a8648ce3d020106082a8648ce3d030107034200", 65],
  "ml-dsa-65": ["308207b2300b0609608648016503040312038207a100", 1952],
};
const P256_HALF = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n;

// Little-endian y of the points whose order divides 8, without the sign of x: under such a key one signature
// fits every message, and WebCrypto need not refuse it.
const SMALL_ORDER = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

function isGoodPoint(point) {
  const y = point.slice();
  y[31] &= 0x7f;
  const isPast = y[31] === 0x7f && y[0] >= 0xed && y.subarray(1, 31).every((byte) => byte === 0xff);
  return !isPast && !SMALL_ORDER.has(hex(y));
}

const imported = new Map();

function importKey(name, bytes, algorithm, format = "raw") {
  const id = `${name} ${hex(bytes)}`;
  if (!imported.has(id)) imported.set(id, crypto.subtle.importKey(format, bytes, algorithm, false, ["verify"]));
  return imported.get(id);
}

async function verifyEd25519(point, message, signature) {
  if (signature.length !== 64 || !isGoodPoint(point) || !isGoodPoint(signature.subarray(0, 32))) return false;
  let key;
  try {
    key = await importKey("Ed25519", point, { name: "Ed25519" });
  } catch (error) {
    if (error.name !== "NotSupportedError") throw error;
    throw new Refusal("UNJUDGED", "this browser can't check Ed25519 signatures: take a newer one");
  }
  return crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
}

async function verifyP256(point, message, signature) {
  const key = await importKey("P-256", point, { name: "ECDSA", namedCurve: "P-256" });
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, message);
}

/* true, false, or null where this browser has no ML-DSA. */
async function verifyMlDsa(name, bytes, message, signature) {
  let key;
  try {
    key = await importKey(name, bytes, { name }, "raw-public");
  } catch {
    return null;
  }
  return crypto.subtle.verify({ name }, key, signature, message);
}

/* Read KEY of §11. */
async function loadKey(given) {
  const passkey = given?.alg === "webauthn-es256";
  const [header, size] = isAlgorithm(given?.alg) ? SPKI[given.alg] : ["", -1];
  const spki = fromBase64(given?.spki, "KEY_ENCODING", "a public key");
  const point = spki.subarray(header.length / 2);
  if (hex(spki.subarray(0, header.length / 2)) !== header || point.length !== size) {
    throw new Refusal("KEY_ENCODING", "expected the DER encoding of one key of a known algorithm");
  }
  if (given.alg === "ed25519" && !isGoodPoint(point)) throw new Refusal("WEAK_KEY", "a point that may not be used");
  const { origins = [], rp_id: rpId = "" } = given;
  const isForm = Array.isArray(origins) && origins.every((each) => typeof each === "string") && typeof rpId === "string";
  if (!isForm || passkey !== (origins.length > 0) || passkey !== (rpId !== "")) {
    throw new Refusal("KEY_ENCODING", "expected origins and rp id exactly for a passkey");
  }
  if (`sha256:${hex(await sha256(spki))}` !== given.id) throw new Refusal("KEY_ID", "not the id of this key");
  if (given.alg.endsWith("es256")) {
    try {
      await importKey("P-256", point, { name: "ECDSA", namedCurve: "P-256" });
    } catch {
      throw new Refusal("KEY_ENCODING", "expected a point of P-256");
    }
  }
  return { ...given, point };
}

/* One signature over a statement: true, or null where this browser can't check it; refuses with a code. */
async function checkSignature(key, pae, event, sig) {
  const bytes = fromBase64(sig.sig, "SIGNATURE", "a signature");
  let holds = false;
  if (key.alg === "ed25519") holds = await verifyEd25519(key.point, pae, bytes);
  else if (key.alg === "es256") holds = isLowS(bytes) && (await verifyP256(key.point, pae, bytes));
  else if (key.alg === "ml-dsa-65") holds = await verifyMlDsa("ML-DSA-65", key.point, pae, bytes);
  else holds = await verifyP256(key.point, await asserted(key, event, sig), fromDer(bytes));
  if (holds === false) throw new Refusal("SIGNATURE", "the signature does not hold over this statement");
  return holds;
}

function isLowS(signature) {
  if (signature.length !== 64) return false;
  const s = BigInt(`0x${hex(signature.subarray(32))}`);
  return s > 0n && s <= P256_HALF;
}

/* Strict DER of an ECDSA signature as r ‖ s. */
function fromDer(der) {
  const fail = () => new Refusal("SIGNATURE", "expected a strict DER signature");
  if (der.length < 8 || der.length > 72 || der[0] !== 0x30 || der[1] !== der.length - 2) throw fail();
  const whole = new Uint8Array(64);
  let at = 2;
  for (const half of [0, 1]) {
    const length = der[at + 1];
    const number = der.subarray(at + 2, at + 2 + length);
    const padded = number[0] === 0 && number.length > 1;
    if (der[at] !== 2 || number.length !== length || length === 0 || number[0] > 0x7f) throw fail();
    if (padded && number[1] < 0x80) throw fail();
    const bare = padded ? number.subarray(1) : number;
    if (bare.length > 32) throw fail();
    whole.set(bare, 32 * half + 32 - bare.length);
    at += 2 + length;
  }
  if (at !== der.length) throw fail();
  return whole;
}

/* Whether an object in well-formed JSON has a member twice: parsers differ in which one they keep. */
function hasTwice(text) {
  const open = []; // names seen so far of each object that is open; null for an array
  let name = null;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/g)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(null);
    else if (token === "}" || token === "]") open.pop();
    else if (token === ":" && open.at(-1)?.has(name)) return true;
    else if (token === ":") open.at(-1).add(name);
    else if (token !== ",") name = JSON.parse(token);
  }
  return false;
}

/* What an assertion's signature covers, once both its documents are about this event (WebAuthn L3 §7.2). */
async function asserted(key, event, sig) {
  const fail = (detail) => new Refusal("SIGNATURE", detail);
  const ad = fromBase64(sig.ad, "SIGNATURE", "authenticator data");
  const cd = fromBase64(sig.cd, "SIGNATURE", "client data");
  let client;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(cd);
    client = JSON.parse(text);
    if (hasTwice(text)) throw new Error("a member twice");
  } catch {
    throw fail("expected client data in JSON, no member of it twice");
  }
  if (Array.isArray(client)) throw fail("expected a JSON object");
  if (client?.type !== "webauthn.get") throw fail("expected an assertion, of type webauthn.get");
  if (client.challenge !== base64url(fromHex(event))) throw fail("expected the event hash as challenge");
  if (!key.origins.includes(client.origin)) throw fail("expected an origin that the key was enrolled with");
  const isAlone = !("crossOrigin" in client) || client.crossOrigin === false;
  if (!isAlone || "topOrigin" in client) throw fail("expected no other origin above");
  const flags = ad[32];
  if (ad.length < 37 || !same(ad.subarray(0, 32), await sha256(utf8(key.rp_id)))) {
    throw fail("expected the hash of the rp id that the key was enrolled with");
  }
  if ((flags & 0x45) !== 0x05) throw fail("expected user present and verified, and no attested credential");
  if (((flags & 0x80) !== 0) !== (ad.length > 37)) throw fail("expected extensions exactly where their flag says so");
  return concat(ad, await sha256(cd));
}
