// Passkeys: make one for signing, and sign a statement's hash with one.

import { base64, base64url, unbase64url } from "./encoding.js";

export async function create(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: unbase64url(options.challenge),
      user: { ...options.user, id: unbase64url(options.user.id) },
      excludeCredentials: options.excludeCredentials.map((each) => ({ ...each, id: unbase64url(each.id) })),
    },
  });
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
  });
  return {
    keyid: key.key.id,
    sig: base64(new Uint8Array(got.response.signature)),
    ad: base64(new Uint8Array(got.response.authenticatorData)),
    cd: base64(new Uint8Array(got.response.clientDataJSON)),
  };
}
