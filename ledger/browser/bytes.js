// What is read of bytes and texts, each with one spelling only (record-format.md §1). Every refusal carries a
// finding's code.

class Refusal extends Error {
  constructor(code, detail, file = null) {
    super(detail);
    this.code = code;
    this.file = file;
  }
}

function decodeUtf8(bytes, code) {
  try {
    return fromUtf8(bytes);
  } catch {
    throw new Refusal(code, "expected valid UTF-8");
  }
}

function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function fromBase64(text, code, what) {
  try {
    if (typeof text !== "string") throw new Error("expected a text");
    return unbase64(text);
  } catch {
    throw new Refusal(code, `expected ${what} in base64 with padding and zero trailing bits`);
  }
}

function fromBase64url(text, code, what) {
  try {
    if (typeof text !== "string") throw new Error("expected a text");
    return unbase64url(text);
  } catch {
    throw new Refusal(code, `expected ${what} in base64url`);
  }
}

function decimal(text, code, what) {
  const number = /^(0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(number)) throw new Refusal(code, `expected ${what} as a decimal number`);
  return number;
}

// Let the page answer for a moment.
const breathe = () => globalThis.scheduler?.yield?.() ?? new Promise((resolve) => setTimeout(resolve));
