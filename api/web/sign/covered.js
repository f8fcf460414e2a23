// A signature over what the record holds: what it covers and its digest follow from the record, and are not typed.

import { wrong } from "./form.js";
import { at } from "./screen.js";
import { capital } from "./words.js";

export const DIGESTS = { "eligibility.confirmed": "criteria_sha256", "record.signed": "sha256" };
export const covers = (spec) => spec.type in DIGESTS;

// The query for what a scope of a participant's record holds.
export function scopePath(stream, scope, of, upto) {
  const query = new URLSearchParams({ scope, ...(of ? { of } : {}), ...(upto ? { upto: String(upto) } : {}) });
  return `/participants/${encodeURIComponent(stream.split("/")[1])}/signing-scope?${query}`;
}

const NAMED = { form: "statement", visit: "visit", milestone: "milestone" };

// What names the scope stands beside it, where the scope that is chosen has a name.
function besideTheScope(data) {
  const scopeNow = () => { try { return data.scope.read(); } catch { return undefined; } };
  const parts = Object.entries(NAMED).map(([scope, member]) => [scope, data[member], data[member].read, data[member].filled]);
  const turn = () => {
    const now = scopeNow();
    for (const [scope, part] of parts) part.node.hidden = scope !== now;
  };
  for (const [, part, read, filled] of parts) {
    part.read = () => (part.node.hidden ? undefined : read());
    part.filled = () => !part.node.hidden && filled();
    data.scope.node.after(part.node);
  }
  data.scope.node.addEventListener("change", turn);
  turn();
}

function chosen(data) {
  const scope = data.scope.read();
  const part = data[NAMED[scope]];
  const of = part?.read();
  if (part && of === undefined) throw wrong(capital(NAMED[scope]), "expected what is signed", part.control);
  return [scope, of];
}

// Fill in the form of such a signature. Returns what has to be waited for before it is read.
export function prepareCovered({ form, spec, stream, service }) {
  const { data } = form;
  const digest = data[DIGESTS[spec.type]];
  const said = Object.assign(document.createElement("p"), { className: "hint" });
  said.textContent = "What your signature covers is taken from the record as it stands, and shown to you before you sign.";
  digest.node.after(said);
  if (data.scope) besideTheScope(data);
  for (const part of [digest, data.upto].filter(Boolean)) {
    part.node.hidden = true;
    part.filled = () => false;
  }
  return async () => {
    const [scope, of] = data.scope ? chosen(data) : ["eligibility"];
    const found = await service.get(scopePath(stream, scope, of));
    const open = (found.criteria ?? []).filter((each) => !each.assessed).map((each) => each.criterion);
    if (open.length) throw wrong("Criteria", `these are not assessed yet: ${open.join(", ")}`, at("type"));
    if (found.sha256 === null) throw wrong("What is signed", "nothing of it is on record", at("type"));
    digest.read = () => found.sha256;
    if (data.upto) data.upto.read = () => found.upto;
  };
}
