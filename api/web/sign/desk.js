// The desk of who entered: what waits for them, the form of a new record, and their passkeys.

import { readWaiting } from "./asking.js";
import { attempt } from "./attempt.js";
import { inCustody } from "./custody.js";
import { Entry } from "./entry.js";
import * as passkey from "./passkey.js";
import { at, item, say, show } from "./screen.js";
import { session } from "./session.js";
import * as statements from "./statement.js";
import { hideLook } from "./unblinding.js";
import * as words from "./words.js";

// The form is for who records at the study's sites; others sign what waits for them, or is pasted. Who comes back
// with a new token finds what they entered.
export async function openForm(kept = false) {
  let places = null;
  try {
    places = await session.service.get("/signing/places");
  } catch (error) {
    if (error.status !== 403 && error.status !== 404) throw error;
  }
  if (kept && session.entry !== null && session.entry.role === places?.role) return;
  const where = at("place").selectedOptions[0]?.textContent;
  const entry = places && new Entry(session.service, session.catalogue, places);
  session.entry = entry?.empty ? null : entry;
  at("form").hidden = session.entry === null;
  if (session.entry === null) at("asjson").open = true;
  const same = [...at("place").options].find((each) => each.value && each.textContent === where);
  // Who was registered just now is who the next record is about.
  const next = session.entry?.placeOf(session.registered) ?? same?.value;
  if (session.entry && next) session.entry.at(next);
}

export function list() {
  const { desk } = session;
  const waiting = desk.waiting.map((each) => {
    const statement = statements.parse(statements.bodyOf(each.submission));
    const row = item(words.capital(words.verb(statement.type)), `by ${statement.actor.name}`);
    const button = row.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = "Read it";
    button.addEventListener("click", () => attempt(() => readWaiting(each.submission)));
    return row;
  });
  at("waiting").replaceChildren(...(waiting.length ? waiting : [item("Nothing waits for you.")]));
  const keys = desk.keys
    .map((each) => item(short(each.key.id), inCustody(each) ? "kept by the service" : "", each.live ? "may sign" : each.enrolled ? "revoked" : "not enrolled yet", each.live));
  at("keys").replaceChildren(...(keys.length ? keys : [item("You have none yet.")]));
}

const short = (id) => `${id.slice(0, 15)}…${id.slice(-6)}`;

export async function makePasskey() {
  const { service } = session;
  const options = await service.post("/passkeys:begin", {});
  const made = await service.post("/passkeys", await passkey.create(options));
  session.desk = await service.get("/signing");
  list();
  say(`Your passkey ${short(made.key.id)} was made. An administrator enrols it, then it waits here for your signature.`);
}

export async function backToDesk() {
  session.desk = await session.service.get("/signing");
  if (session.entry === null) await openForm();
  list();
  [session.held, session.sent, session.unsure] = [null, null, false];
  hideLook();
  show("desk");
}
