// Names that a participant's record holds already, as who asks reads it: offered where a form asks for one.
//
//   known(view, "adverse_event.followed_up")  ->  { ae: [{ id: "AE-1", name: "grade 2, since 2024-06-02" }], … }
//
// A name stands under its member, and within a list or a part under both: `measurements.name`.

import { plain } from "./words.js";

// Members that hold the same kind of name.
const ALIKE = [
  ["measurements.name", "vitals.name", "limits.parameter"],
  ["analytes.analyte"],
  ["quantity.unit", "value.unit"],
  ["laboratory"],
  ["medication"],
  ["pump"],
  ["time_point"],
];
const FIRST = { "adverse_event.reported": "ae", "medication.started": "medication" }; // a type that gives the id out
const ASIDE = new Set(["corrections", "voided", "breaches"]);

function collect(value, inside, found) {
  if (Array.isArray(value)) value.forEach((each) => collect(each, inside, found));
  else if (value !== null && typeof value === "object") {
    for (const [name, each] of Object.entries(value)) {
      const place = inside ? `${inside}.${name}` : name;
      if (typeof each === "string") found.set(place, (found.get(place) ?? new Set()).add(each));
      else collect(each, name, found);
    }
  }
}

// The data of each record in the view, whatever part of it the record stands in.
function records(value, found) {
  if (value === null || typeof value !== "object") return;
  if (!Array.isArray(value) && "event" in value && "data" in value) collect(value.data, "", found);
  for (const [name, each] of Object.entries(value)) if (!ASIDE.has(name)) records(each, found);
}

function toldOf({ grade, onset, outcome, version }) {
  const parts = [
    typeof grade === "number" && `grade ${grade}`,
    typeof onset === "string" && `since ${onset.slice(0, 10)}`,
    typeof outcome === "string" && plain(outcome),
    typeof version === "number" && `version ${version} is the last`,
  ];
  return parts.filter(Boolean).join(", ");
}

// The id after the last one, in the way that the others were given.
function next(ids) {
  const numbered = ids.map((id) => /^(.*?)(\d+)$/.exec(id)).filter(Boolean);
  const last = numbered.sort((a, b) => Number(a[2]) - Number(b[2])).at(-1);
  return last ? [{ id: last[1] + String(Number(last[2]) + 1).padStart(last[2].length, "0"), name: "the next one", fresh: true }] : [];
}

export function known(view, type) {
  const found = new Map();
  records(view, found);
  const names = {};
  for (const places of ALIKE) {
    const ids = [...new Set(places.flatMap((each) => [...(found.get(each) ?? [])]))].sort();
    for (const each of places) names[each] = ids.map((id) => ({ id, name: "" }));
  }
  names.ae = Object.entries(view.adverse_events ?? {}).map(([id, each]) => ({ id, name: toldOf(each) }));
  const first = FIRST[type];
  if (first) names[first] = next(names[first].map(({ id }) => id));
  return names;
}
