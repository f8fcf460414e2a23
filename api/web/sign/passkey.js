// Passkeys: make one for signing, and sign a statement's hash with one.

import { base64, base64url, unbase64url } from "./encoding.js";

// The passkey was not used, or there is none that can be.
export class Unused extends Error {}

export const known = () => Boolean(navigator.credentials && window.PublicKeyCredential);

function unused(error, so) {
  const why = {
    InvalidStateError: "This device has a passkey of yours for signing already.",
    NotAllowedError: "The passkey was not used:",
    SecurityError: "This browser lets no passkey of the study be used at this address:",
  };
  const told = why[error.name] ?? "The passkey failed:";
  throw new Unused(told.endsWith(".") ? `${told} ${so.charAt(0).toUpperCase()}${so.slice(1)}.` : `${told} ${so}.`);
}

export async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: unbase64url(options.challenge),
      user: { ...options.user, id: unbase64url(options.user.id) },
      excludeCredentials: options.excludeCredentials.map((each) => ({ ...each, id: unbase64url(each.id) })),
    },
  }).catch((error) => unused(error, "no passkey was made"));
  return {
    id: made.id,
    rawId: base64url(new Uint8Array(made.rawId)),
    type: made.type,
    response: {
      attestationObject: base64url(new Uint8Array(made.response.attestationObject)),
      clientDataJSON: base64url(new Uint8Array(made.response.clientDataJSON)),
    },
  };
}

// The challenge is E itself, so that the assertion is good for this statement and no other.
export async function sign(event, key) {
  const got = await navigator.credentials.get({
    publicKey: {
      challenge: event,
      rpId: key.key.rp_id,
      userVerification: "required",
      timeout: 300000,
      allowCredentials: [{ type: "public-key", id: unbase64url(key.credential) }],
    },
  }).catch((error) => unused(error, "nothing was signed"));
  return {
    keyid: key.key.id,
    sig: base64(new Uint8Array(got.response.signature)),
    ad: base64(new Uint8Array(got.response.authenticatorData)),
    cd: base64(new Uint8Array(got.response.clientDataJSON)),
  };
}
