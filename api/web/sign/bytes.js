// Bytes and their texts: UTF-8, hex, base64 and base64url, SHA-256.

export const utf8 = (text) => new TextEncoder().encode(text);

export const text = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function unhex(digits) {
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error("expected hexadecimal digits");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export function base64(bytes) {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export function unbase64(coded) {
  const bytes = Uint8Array.from(atob(coded), (char) => char.charCodeAt(0));
  if (base64(bytes) !== coded) throw new Error("expected base64 with padding");
  return bytes;
}

export const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

export function unbase64url(coded) {
  const plain = coded.replaceAll("-", "+").replaceAll("_", "/");
  return unbase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
}

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const same = (one, other) => one.length === other.length && one.every((byte, n) => byte === other[n]);

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
