// The questions of an instrument, as the study's definition has them: one field for each, in their order, and the total.

import { field, make } from "./form.js";
import { mayLose } from "./screen.js";
import { capital, plain } from "./words.js";

export const asks = (spec) => ["instrument", "version", "items"].every((each) => each in (spec.data.properties ?? {}));

// As the study definition says it (ledger/study/schedule.py, `score`); null where the instrument has no total.
export function score({ scoring }, values) {
  if (scoring === "none") return null;
  if (scoring === "highest") return Math.max(...values);
  if (scoring === "level") return values.findLastIndex((each) => each !== 0) + 1;
  return values.reduce((sum, each) => sum + each, 0);
}

// Ask the questions of the instrument that is chosen; of one that the definition does not ask, any may be entered.
export function prepareQuestionnaire({ instrument, version, items, total }, instruments) {
  const box = make("fieldset", { hidden: true }, make("legend", { textContent: "Answers" }));
  items.node.after(box);
  let [chosen, asked, computed] = [null, [], ""];
  const answered = () => asked.filter(([, part]) => part.filled());

  // The total is what was entered; until something else is, it is what follows from the answers.
  function add() {
    if (!total || ![computed, ""].includes(total.control.value)) return;
    let values = [];
    try { values = asked.map(([, part]) => part.read()); } catch { /* not all are answered yet */ }
    const found = values.length ? score(chosen, values) : null;
    total.control.value = computed = found === null ? "" : String(found);
  }

  function turn() {
    const named = instruments.find((each) => each.id === instrument.control.value.trim() && each.items.length);
    if (named === (chosen ?? undefined)) return;
    if (answered().length && !mayLose()) {
      instrument.put(chosen.id);
      return;
    }
    chosen = named ?? null;
    asked = (chosen?.items ?? []).map((item) => [item, question(item)]);
    box.replaceChildren(box.firstChild, ...asked.map(([, part]) => part.node));
    version.node.hidden = items.node.hidden = chosen !== null;
    box.hidden = chosen === null;
    add();
  }

  function question(item) {
    const { minimum, maximum } = chosen;
    const place = { path: (label) => label };
    return field(item, { type: "integer", minimum, maximum }, { required: true, place, label: capital(plain(item)), hint: `${minimum} to ${maximum}` });
  }

  for (const [part, own] of [
    [version, { read: () => chosen.version, filled: () => false }],
    [items, { read: () => asked.map(([item, each]) => ({ item, value: each.read() })), filled: () => answered().length > 0 }],
  ]) {
    const { read, filled } = part;
    part.read = () => (chosen ? own : { read }).read();
    part.filled = () => (chosen ? own : { filled }).filled();
  }
  instrument.control.addEventListener("change", turn);
  box.addEventListener("input", add);
  turn();
}
