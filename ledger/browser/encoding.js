// Bytes and their texts, canonical JSON and hashes (record-format.md §1, §3, §4): one text for verify.html and the
// signing pages. Every text of bytes has one spelling.

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const utf8 = (text) => ENCODER.encode(text);

const fromUtf8 = (bytes) => DECODER.decode(bytes);

function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function same(one, other) {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function unbase64(text) {
  const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  if (base64(bytes) !== text) throw new Error("expected base64 with padding and zero trailing bits");
  return bytes;
}

const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function unbase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error("expected base64url");
  return unbase64(text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4));
}

async function sha256(...parts) {
  const data = parts.length === 1 ? parts[0] : concat(...parts);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

/* JSON as RFC 8785 writes it, for the values that statements have: whole numbers, keys sorted by UTF-16. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const members = Object.keys(value).sort();
    return `{${members.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error("expected whole numbers");
  return JSON.stringify(value);
}

/* What is signed and hashed of a payload (DSSE 1.0.2); its SHA-256 is the event's hash. */
const authenticated = (type, body) => concat(utf8(`DSSEv1 ${utf8(type).length} ${type} ${body.length} `), body);

/* A node of the tree (RFC 6962 §2.1). */
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);
