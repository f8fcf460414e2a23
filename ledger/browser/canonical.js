// Restricted canonical JSON: what is read is exactly what would be written (record-format.md §1, RFC 8785).

const NAME = /^[a-z][a-z0-9_]{0,63}$/;
const POINTER = /^\/(?:data|reason)(?:\/(?:[a-z][a-z0-9_]{0,63}|0|[1-9][0-9]{0,4}))*\/[a-z][a-z0-9_]{0,63}$/;
const STREAM = /^(?:study|safety|(?:site|pharmacy|participant|person|randomization|access)\/[A-Za-z0-9][A-Za-z0-9._-]{0,62})$/;
const MAX_DEPTH = 16;

// Controls but \n and \t, format characters but the two joiners, separators, surrogates, and what Unicode 14
// has not assigned.
const FORBIDDEN = new RegExp(
  `[${TABLES.forbidden.map(([first, last]) => `\\u{${first.toString(16)}}-\\u{${last.toString(16)}}`).join("")}]`,
  "u",
);
const PLAIN = /^[\n\t\x20-\x7e]*$/;

function checkString(text, code) {
  if (PLAIN.test(text)) return;
  if (FORBIDDEN.test(text) || !text.isWellFormed()) {
    throw new Refusal(code, "expected no control, format, separator or unassigned character");
  }
  if (text.normalize("NFC") !== text) throw new Refusal(code, "expected text in normal form C");
}

function checkValue(value, depth, keys, code) {
  if (typeof value === "string") {
    checkString(value, code);
  } else if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new Refusal(code, "expected an integer of at most 53 bits");
  } else if (value !== null && typeof value === "object") {
    if (depth > MAX_DEPTH) throw new Refusal(code, `expected at most ${MAX_DEPTH} levels`);
    for (const [key, member] of Object.entries(value)) {
      if (!Array.isArray(value) && !keys.test(key)) throw new Refusal(code, "a key that may not stand here");
      checkValue(member, depth + 1, NAME, code);
    }
  }
}

/* `special`: the top-level member whose keys are pointers; "streams" where the top-level keys are streams. */
function decodeCanonical(bytes, { special = "sealed", code = "CANONICAL", maxBytes = 32768 } = {}) {
  if (bytes.length > maxBytes) throw new Refusal(code, `expected at most ${maxBytes} bytes`);
  const text = decodeUtf8(bytes, code);
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(code, "expected JSON");
  }
  const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject) {
    checkValue(value, 1, NAME, code);
  } else if (special === "streams") {
    checkValue(value, 1, STREAM, code);
  } else {
    for (const [key, member] of Object.entries(value)) {
      if (!NAME.test(key)) throw new Refusal(code, "a key that may not stand here");
      const inside = member !== null && typeof member === "object" && !Array.isArray(member);
      checkValue(member, 2, key === special && inside ? POINTER : NAME, code);
    }
  }
  if (canonical(value) !== text) throw new Refusal(code, "expected the canonical encoding");
  return value;
}

function closed(value, required, optional, code, what) {
  const keys = value !== null && typeof value === "object" && !Array.isArray(value) ? Object.keys(value) : null;
  const known = keys !== null && keys.every((key) => required.includes(key) || optional.includes(key));
  if (!known || !required.every((key) => keys.includes(key))) {
    throw new Refusal(code, `expected ${what} with exactly the members ${required.join(" ")}`);
  }
  return value;
}
