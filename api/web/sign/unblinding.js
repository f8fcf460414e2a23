// An emergency unblinding: the allocation that it opens is found, not typed, and what is given is shown once it is recorded.

import { at, rows } from "./screen.js";
import { session } from "./session.js";
import { time } from "./words.js";

export const UNBLINDING = "unblinding.performed";

// Fill in what follows in its form. `allocationOf` finds the newest allocation of a participant, or null. Returns what
// has to be waited for before the form is read.
export function prepareUnblinding({ participant, statement, means, source }, allocationOf) {
  let found = Promise.resolve();
  means.put("ledger");
  source.parts.kind.put("esource");
  const said = document.createElement("p");
  said.className = "hint";
  said.setAttribute("role", "status");
  participant.node.after(said, statement.node);
  statement.node.hidden = true;
  const look = async () => {
    const name = participant.control.value.trim();
    statement.control.value = said.textContent = "";
    const allocation = name && (await allocationOf(name));
    if (participant.control.value.trim() !== name) return;
    statement.node.hidden = !name || Boolean(allocation);
    if (allocation) {
      statement.control.value = allocation.event;
      said.textContent = `Allocated ${time(allocation.occurred.local ?? allocation.occurred.text)[0].slice(0, 10)}, entry ${allocation.index} of the log: it is opened.`;
    } else if (name) {
      said.textContent = "No allocation of this participant is shown to you. Enter the event hash of the newest one.";
    }
  };
  participant.control.addEventListener("change", () => (found = look()));
  return () => found;
}

// What became of it is told on the last page: the look is offered to who signed, by means of the ledger.
export function offerLook(statement) {
  const offered = statement.type === UNBLINDING && statement.data.means === "ledger" && statement.actor.id === session.desk.person;
  hideLook();
  at("lookpart").hidden = !offered;
  at("look").dataset.participant = offered ? statement.data.participant : "";
}

export function hideLook() {
  at("look").dataset.participant = "";
  at("treatment").replaceChildren();
  at("lookpart").hidden = true;
  at("look").hidden = false;
}

// Each answer follows a view that the service has recorded before.
export async function look() {
  const { participant } = at("look").dataset;
  const found = await session.service.get(`/participants/${encodeURIComponent(participant)}/regimen.json?purpose=emergency`);
  rows("treatment", [["Participant", found.participant], ["Treatment", found.name, found.regimen], ["Stage", String(found.stage)]]);
  at("look").hidden = true;
  at("treatment").focus();
}
