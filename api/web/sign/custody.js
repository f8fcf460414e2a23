// Signing with a key that the service keeps, and unlocks by its owner's secret for one signature (21 CFR 11.200).

import { canonical, hex, utf8 } from "./encoding.js";
import { wrong } from "./form.js";
import { at } from "./screen.js";
import { session } from "./session.js";
import * as statements from "./statement.js";

const OF_THE_SIGNER = ["actor", "key", "log", "v", "with"]; // they follow from who signs

// The keys of a desk are passkeys, by their credential, and keys in custody.
export const inCustody = (key) => key.credential === null;

function components() {
  const [id, secret] = [at("signer").value.trim(), at("secret").value];
  at("secret").value = "";
  if (!secret) throw wrong("Your signing secret", "expected", at("secret"));
  return { secret, ...(id ? { id } : {}) };
}

const bytes = (text) => Uint8Array.from(text.match(/../g), (each) => parseInt(each, 16));

// What was recorded is what was asked for, in every member; who does not read such records can't compare.
async function compare(event, { asked, opened }) {
  const found = await session.service.get(`/events/${event}.json`).catch(() => null);
  if (!found?.statement) return;
  if (hex(await statements.eventHash(utf8(canonical(found.statement)))) !== event) throw new Error("The service shows another record than it recorded.");
  await statements.checkAsked(found.statement, opened, asked, opened);
}

// Returns the answer of the service, and the hash of what it signed: it prepares an action once more.
export async function signInCustody({ event }) {
  const { held, service } = session;
  const given = components();
  if (!held) return { recorded: await service.post(`/signatures/${hex(event)}`, given), event };
  const action = { ...held.asked, role: held.asked.actor.role };
  for (const name of OF_THE_SIGNER) delete action[name];
  const recorded = await service.post("/actions", { action, open: held.opened, ...given });
  await compare(recorded.event, held);
  return { recorded, event: bytes(recorded.event) };
}
