// A statement: its hash, and whether it is what was asked for (record-format.md §1-§3, §7).

import { authenticated, base64url, canonical, fromUtf8, hex, sha256, unbase64, unbase64url, utf8 } from "./encoding.js";

export const TYPE = "application/vnd.trial-ledger.statement.v1+json";
export const FILLED_IN = ["prev", "sealed", "seen", "seq", "tag"];
const ZERO_SALT = new Uint8Array(32);

// E = SHA-256(PAE), of exactly the bytes that are recorded.
export const eventHash = (body) => sha256(authenticated(TYPE, body));

// The statement of exact bytes. One text has one reading: bytes that are not canonical are refused.
export function parse(body) {
  const value = JSON.parse(fromUtf8(body));
  if (canonical(value) !== fromUtf8(body)) throw new Error("the statement is not in its one form");
  return value;
}

// What a disclosure opens, by path; each is the one that the statement commits to.
export async function openSealed(statement, disclosures) {
  const digests = statement.sealed ?? {};
  const opened = {};
  if (canonical(Object.keys(digests).sort()) !== canonical(Object.keys(disclosures).sort())) {
    throw new Error("the sealed values are not those of the statement");
  }
  for (const [path, coded] of Object.entries(disclosures)) {
    const [, id, place, value] = JSON.parse(fromUtf8(unbase64url(coded)));
    const digest = base64url(await sha256(utf8(coded)));
    if (digest !== digests[path] || id !== statement.id || place !== path) {
      throw new Error(`the sealed value at ${path} is not the one that the statement commits to`);
    }
    opened[path] = value;
  }
  return opened;
}

// Every member that was asked for is there as it was asked for, and no other but those filled in.
export async function checkAsked(statement, opened, asked, values) {
  const given = { ...statement };
  for (const name of FILLED_IN) delete given[name];
  for (const name of new Set([...Object.keys(given), ...Object.keys(asked)])) {
    if (!(name in given) || !(name in asked) || canonical(given[name]) !== canonical(asked[name])) {
      throw new Error(`the statement differs from what was asked for: ${name}`);
    }
  }
  if (canonical(opened) !== canonical(values)) throw new Error("a sealed value differs from what was asked for");
  const [kind] = statement.stream.split("/");
  if (["study", "site", "person", "randomization"].includes(kind)) {
    const label = utf8("trial-ledger/stream/v1\0");
    const tag = hex(await sha256(label, ZERO_SALT, utf8(statement.stream)));
    if (tag !== statement.tag) throw new Error("the tag is not that of the stream");
  }
}

// The names of the keys that sign, in order.
export const signers = (statement) => [statement.key, ...(statement.with ?? [])];

export const bodyOf = (submission) => unbase64(submission.payload);

// A new UUIDv7 (RFC 9562 §5.7).
export function newId(now = Date.now()) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  for (let n = 0; n < 6; n += 1) bytes[n] = Math.floor(now / 2 ** (8 * (5 - n))) % 256;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

// The time now as statements have it: UTC, six digits of a fraction.
export const instant = (now = new Date()) => now.toISOString().replace(/(\.\d{3})Z$/, "$1000Z");
