// What the calendar asks of a participant, beside the form: visits that were begun, are overdue or due, and the next one.

import { make } from "./form.js";
import { at } from "./screen.js";

const SHOWN = 3; // of each kind; how many more there are is said
const KINDS = [["started", "Begun, not completed"], ["overdue", "Overdue"], ["due", "Due"]];

function when({ first_day: first, last_day: last }) {
  if (!first) return "";
  return first === last ? `, ${first}` : `, ${first} to ${last}`;
}

// Lines for the rows of the report `visits`, in the order of the calendar. `names` are the study's names of visits.
export function due(rows, names = []) {
  const called = (row) => `${names.find((each) => each.id === row.visit)?.name || row.visit}${when(row)}`;
  const lines = KINDS.flatMap(([state, words]) => {
    const found = rows.filter((each) => each.state === state);
    const more = found.length > SHOWN ? [`${words}: ${found.length - SHOWN} more`] : [];
    return [...found.slice(0, SHOWN).map((row) => `${words}: ${called(row)}`), ...more];
  });
  const next = rows.find((each) => each.state === "planned");
  return next ? [...lines, `Next: ${called(next)}`] : lines;
}

export function showDue(lines) {
  at("due").replaceChildren(...lines.map((textContent) => make("li", { textContent })));
  at("due").hidden = !lines.length;
}
