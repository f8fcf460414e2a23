// Bytes and text, each with one spelling only (record-format.md §1). Every refusal carries a finding's code.

class Refusal extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
  }
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const utf8 = (text) => ENCODER.encode(text);

function decodeUtf8(bytes, code) {
  try {
    return DECODER.decode(bytes);
  } catch {
    throw new Refusal(code, "expected valid UTF-8");
  }
}

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

function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

function fromBase64(text, code, what) {
  let bytes = new Uint8Array(0);
  try {
    bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    // refused below, by its re-encoding
  }
  if (base64(bytes) !== text) {
    throw new Refusal(code, `expected ${what} in base64 with padding and zero trailing bits`);
  }
  return bytes;
}

const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

function fromBase64url(text, code, what) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Refusal(code, `expected ${what} in base64url`);
  const padded = text.replaceAll("-", "+").replaceAll("_", "/") + "=".repeat((4 - (text.length % 4)) % 4);
  return fromBase64(padded, code, what);
}

function decimal(text, code, what) {
  const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) throw new Refusal(code, `expected ${what} as a decimal number`);
  return number;
}

async function sha256(...parts) {
  const data = parts.length === 1 ? parts[0] : concat(...parts);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

// Let the page answer for a moment.
const breathe = () => globalThis.scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));
