// Fields for a value of a JSON Schema, as the catalogue has it: what is entered in them is read back as that value.
//
//   field("grade", schema, place)  ->  {node, filled(), read()}
//
// `filled` tells whether anything was entered; `read` returns the value, undefined where it is left out, and throws
// an error that names the field. `place` has the zone of the site, the names that the study gives, and those that
// the participant's record has already (`known`), and takes the files that are attached (`files`).

import { attachment, isAttachment } from "./attachment.js";
import { hex, sha256 } from "./encoding.js";
import { chooser, LONG, seen } from "./names.js";
import { capital, plain } from "./words.js";

const HASH = "^(?:[0-9a-f]{64})$";
const CODE = "^(?:[a-z][a-z0-9_]{0,63})$";
const CLINICAL = /^(\d{4})(-\d\d)?(-\d\d)?(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?$/;
let count = 0;

export function make(name, members = {}, ...children) {
  const node = Object.assign(document.createElement(name), members);
  node.append(...children);
  return node;
}

const isTime = (schema) => (schema.description ?? "").startsWith("a clinical time");

// What is wrong with what was entered, and where: the page leads there.
export const wrong = (label, words, control) => Object.assign(new Error(`${label}: ${words}`), { control: seen(control) });

// Minutes east of UTC on the clocks of a zone, at an instant.
function offsetAt(zone, instant) {
  const written = new Intl.DateTimeFormat("en-US", {
    timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
  const part = Object.fromEntries(written.formatToParts(instant).map((each) => [each.type, Number(each.value)]));
  return Math.round((Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - instant) / 60000);
}

function offsetOf(zone, wall) {
  const minutes = offsetAt(zone, wall - offsetAt(zone, wall) * 60000);
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60].map((each) => String(each).padStart(2, "0"));
  return `${minutes < 0 ? "-" : "+"}${hours}:${rest}`;
}

// The clocks of a zone now, as a person writes it.
export function clock(zone, now = Date.now()) {
  return new Date(now + offsetAt(zone, now) * 60000).toISOString().slice(0, 16).replace("T", " ");
}

// A clinical time as it stands in a statement: with the offset of the site where none was written (record-format §2).
export function clinical(label, text, zone, control) {
  const found = CLINICAL.exec(text.trim());
  if (!found || (found[4] && !found[3])) throw wrong(label, "expected 2024-06-03 10:00, or a date, a month or a year", control);
  const [, year, month = "", day = "", minutes, seconds = ":00", offset] = found;
  if (!minutes) return `${year}${month}${day}`;
  const wall = Date.parse(`${year}${month}${day}T${minutes}${seconds}Z`);
  if (Number.isNaN(wall)) throw wrong(label, "expected a date and time that the calendar has", control);
  return `${year}${month}${day}T${minutes}${seconds}${offset ?? offsetOf(zone, wall)}`;
}

// The last instant that a clinical time can mean, in milliseconds since the epoch: of a date, a month or a year its end.
export function latest(written, zone) {
  if (written.includes("T")) return Date.parse(written);
  const [year, month = 12, day = null] = written.split("-").map(Number);
  const after = day === null ? Date.UTC(year, month, 1) : Date.UTC(year, month - 1, day + 1);
  return after - offsetAt(zone, after - offsetAt(zone, after) * 60000) * 60000 - 1;
}

export function labelled(label, control, hint = "") {
  control.id = `field-${(count += 1)}`;
  const node = make("div", { className: "field" }, make("label", { htmlFor: control.id, textContent: label }));
  if (hint) {
    node.append(make("span", { className: "aside", id: `${control.id}-hint`, textContent: hint }));
    control.setAttribute("aria-describedby", `${control.id}-hint`);
  }
  node.append(control);
  return node;
}

function listed(control, options) {
  if (!options?.length) return [];
  const list = make("datalist", { id: `names-${(count += 1)}` });
  list.append(...options.map(({ id, name }) => make("option", { value: id, textContent: name })));
  control.setAttribute("list", list.id);
  return [list];
}

// What an id stands for, once it is entered or chosen.
function meant(control, options) {
  if (!options?.some((each) => each.name)) return [];
  const said = make("span", { className: "aside", role: "status" });
  const say = () => (said.textContent = options.find((each) => each.id === control.value.trim())?.name ?? "");
  control.addEventListener("input", say);
  queueMicrotask(say);
  return [said];
}

function choice(label, values, { required, place }, named = (value) => plain(String(value))) {
  const control = make("select", {}, make("option", { value: "", textContent: required ? "choose" : "not said" }));
  control.append(...values.map((value, n) => make("option", { value: String(n), textContent: named(value) })));
  let given = "";
  return {
    node: labelled(label, control),
    filled: () => ![given, ""].includes(control.value),
    put: (value) => (control.value = given = String(values.indexOf(value))),
    read() {
      if (control.value === "" && required) throw wrong(place.path(label), "choose one", control);
      return control.value === "" ? undefined : values[Number(control.value)];
    },
  };
}

// What says what it stands for is chosen; other words that are on record already are offered beside what is entered.
function asked(label, control, hint, { named, used, required }) {
  const told = named?.length ? named : used?.some((each) => each.name && !each.fresh) && used;
  if (told) {
    const node = labelled(label, chooser(control, label, told, required ? "choose" : "not said"), hint);
    node.append(control, ...meant(control, told.filter((each) => each.name.length > LONG)));
    return [node];
  }
  const lists = listed(control, used);
  const node = labelled(label, control, hint);
  node.append(...meant(control, used));
  return [node, ...lists];
}

function text(label, schema, options) {
  const { name, required, place } = options;
  const long = (schema.maxLength ?? 0) > 400;
  const control = make(long ? "textarea" : "input", { autocomplete: "off", spellcheck: long });
  if (long) control.rows = 3;
  if (schema.format === "date") control.type = "date";
  const hints = [];
  if (isTime(schema)) hints.push("2024-06-03 10:00 on the clocks of the site, a date, or a month");
  if (schema.pattern === HASH && name.endsWith("sha256")) hints.push("of a file, which stays with you: its SHA-256 is recorded");
  const isEvent = schema["x-event"] === true;
  if (isEvent && place.events.length) return statement(label, place.events, options);
  const named = isEvent ? [] : place.names[name];
  const used = isEvent ? [] : place.known?.[place.inside ? `${place.inside}.${name}` : name];
  const given = !isEvent && required && named?.length === 1 ? named[0].id : "";
  control.value = given;
  const node = make("div", {}, ...asked(label, control, hints.join(), { named, used, required }));
  if (schema.pattern === HASH && !isEvent) node.append(fileFor(control));
  return {
    node,
    control,
    put: (value) => (control.put ? control.put(value) : (control.value = value)),
    filled: () => ![given, ""].includes(control.value.trim()),
    read() {
      const entered = control.value.trim();
      if (entered === "") {
        if (required) throw wrong(place.path(label), "expected a value", control);
        return undefined;
      }
      if (isTime(schema)) return clinical(place.path(label), entered, place.zone, control);
      const value = schema.pattern === CODE ? entered.toLowerCase().replace(/[\s-]+/g, "_") : entered;
      if (schema.pattern && !new RegExp(schema.pattern, "u").test(value)) throw wrong(place.path(label), "is not in the form that is expected", control);
      if (value.length > (schema.maxLength ?? Infinity)) throw wrong(place.path(label), `expected at most ${schema.maxLength} characters`, control);
      return value;
    },
  };
}

// The hash of a file that stays where it is: of a signed form, of a tracing.
function fileFor(control) {
  const file = make("input", { type: "file" });
  file.setAttribute("aria-label", "The file whose hash it is");
  file.addEventListener("change", async () => {
    if (file.files.length) control.value = hex(await sha256(new Uint8Array(await file.files[0].arrayBuffer())));
  });
  return file;
}

// A statement of this participant, by what it says.
function statement(label, events, { required, place }) {
  const control = make("select", {}, make("option", { value: "", textContent: required ? "choose" : "none" }));
  control.append(...events.map((each) => make("option", { value: each.id, textContent: each.name })));
  return {
    node: labelled(label, control),
    control,
    filled: () => control.value !== "",
    read() {
      if (control.value === "" && required) throw wrong(place.path(label), "choose one", control);
      return control.value || undefined;
    },
  };
}

function number(label, schema, { required, place, hint }) {
  const control = make("input", { inputMode: "numeric", autocomplete: "off" });
  return {
    node: labelled(label, control, hint),
    filled: () => control.value.trim() !== "",
    read() {
      const entered = control.value.trim();
      if (entered === "" && !required) return undefined;
      const value = Number(entered);
      if (!/^-?\d+$/.test(entered) || value < (schema.minimum ?? -Infinity) || value > (schema.maximum ?? Infinity)) {
        throw wrong(place.path(label), `expected a whole number${"maximum" in schema ? ` from ${schema.minimum} to ${schema.maximum}` : ""}`, control);
      }
      return value;
    },
  };
}

function several(label, values, options) {
  const boxes = values.map((value) => [value, make("input", { type: "checkbox" })]);
  const node = make("fieldset", {}, make("legend", { textContent: label }));
  node.append(...boxes.map(([value, box]) => make("label", { className: "check" }, box, plain(String(value)))));
  const chosen = () => boxes.filter(([, box]) => box.checked).map(([value]) => value).sort();
  return { node, filled: () => chosen().length > 0, read: () => (chosen().length || options.required ? chosen() : undefined) };
}

function list(label, schema, options) {
  const { name, required, place } = options;
  const rows = make("div");
  const held = [];
  const add = make("button", { type: "button", className: "second small", textContent: "Add one" });
  const said = () => (add.textContent = held.length ? "Add another" : "Add one");
  const one = label.endsWith("s") ? label.slice(0, -1) : label;
  function another() {
    const part = field(name, schema.items, { ...options, required: true, label: one });
    const remove = make("button", { type: "button", className: "second small", textContent: "Take away" });
    remove.setAttribute("aria-label", `Take away this ${one.toLowerCase()}`);
    const row = make("div", { className: "item" }, part.node, remove);
    remove.addEventListener("click", () => {
      held.splice(held.indexOf(part), 1);
      row.remove();
      said();
      add.focus();
    });
    held.push(part);
    said();
    rows.append(row);
    return row;
  }
  add.addEventListener("click", () => another().querySelector("input, select, textarea")?.focus());
  const given = required ? schema.minItems ?? 0 : 0;
  for (let n = 0; n < given; n += 1) another();
  return {
    node: make("fieldset", {}, make("legend", { textContent: label }), rows, add),
    filled: () => held.length > given || held.some((each) => each.filled()),
    read() {
      if (!held.length && !required) return undefined;
      if (held.length < (schema.minItems ?? 0)) throw wrong(place.path(label), `expected at least ${schema.minItems}`, add);
      return held.map((each) => each.read());
    },
  };
}

// In the order in which the type needs them; where it was taken from comes last.
function ordered(schema) {
  const needed = (schema.required ?? []).filter((name) => name !== "source");
  const all = Object.keys(schema.properties ?? {});
  return [...needed, ...all.filter((name) => !needed.includes(name))];
}

function object(label, schema, options) {
  const { name: inside, required, place } = options;
  const needed = new Set(schema.required ?? []);
  const names = ordered(schema);
  const within = { ...place, inside, path: (each) => place.path(`${label} › ${each}`) };
  const parts = names.map((name) => [name, field(name, schema.properties[name], { place: within, required: needed.has(name) })]);
  const compact = names.length === 2 && needed.has("value") && needed.has("unit");
  const node = make("fieldset", { className: compact ? "pair" : "" }, make("legend", { textContent: label }));
  node.append(...arranged(parts, needed, compact));
  const filled = () => parts.some(([, part]) => part.filled());
  return {
    node,
    parts: Object.fromEntries(parts),
    filled,
    read() {
      if (!required && !filled()) return undefined;
      return collected(parts);
    },
  };
}

// What has to be entered first, what may be left out behind a line that opens.
function arranged(parts, needed, all = false) {
  const shown = parts.filter(([name]) => all || needed.has(name));
  const rest = parts.filter(([name]) => !all && !needed.has(name));
  const nodes = shown.map(([, part]) => part.node);
  if (rest.length) nodes.push(make("details", { className: "more" }, make("summary", { textContent: "More, where there is any" }), ...rest.map(([, part]) => part.node)));
  return nodes;
}

export function collected(parts) {
  const read = parts.map(([name, part]) => [name, part.read()]).filter(([, value]) => value !== undefined);
  return Object.fromEntries(read);
}

function json(label, { required, place }) {
  const control = make("textarea", { className: "code", rows: 3, spellcheck: false });
  return {
    node: labelled(label, control, "as JSON"),
    filled: () => control.value.trim() !== "",
    read() {
      if (control.value.trim() === "" && !required) return undefined;
      try {
        return JSON.parse(control.value);
      } catch {
        throw wrong(place.path(label), "can't be read as JSON", control);
      }
    },
  };
}

export function field(name, schema, options) {
  const part = kindOf(name, schema, options);
  part.node.dataset.name = name;
  return part;
}

function kindOf(name, schema, options) {
  const label = options.label ?? capital(plain(name));
  const given = { ...options, name };
  if (schema.enum) return choice(label, schema.enum, given);
  if (schema.type === "boolean") return choice(label, [true, false], given, (value) => (value ? "yes" : "no"));
  if (schema.type === "integer") return number(label, schema, given);
  if (schema.type === "string") return text(label, schema, given);
  if (schema.type === "object" && isAttachment(schema)) return attachment(label, schema, given, { labelled, wrong });
  if (schema.type === "object" && schema.properties) return object(label, schema, given);
  if (schema.type === "array" && schema.items?.enum) return several(label, schema.items.enum, given);
  if (schema.type === "array" && schema.items?.type) return list(label, schema, given);
  return json(label, given);
}

// The fields of `data` and of what is sealed beside it.
export function fields(schema, place) {
  const needed = new Set(schema.required ?? []);
  const names = ordered(schema);
  const data = names.map((name) => [name, field(name, schema.properties[name], { place, required: needed.has(name), label: place.labels?.[name] })]);
  const sealed = Object.entries(schema["x-sealed"] ?? {}).map(([path, each]) => {
    const name = path.split("/").at(-1);
    return [path, field(name, each.schema, { place, required: !each.nullable, label: `${place.labels?.[name] ?? capital(plain(name))} (kept sealed)` })];
  });
  const sealedNeeded = new Set(Object.entries(schema["x-sealed"] ?? {}).filter(([, each]) => !each.nullable).map(([path]) => path));
  return {
    nodes: arranged([...data, ...sealed], new Set([...needed, ...sealedNeeded])),
    data: Object.fromEntries(data),
    sealed: Object.fromEntries(sealed.map(([path, part]) => [path.split("/").at(-1), part])),
    filled: () => [...data, ...sealed].some(([, part]) => part.filled()),
    read: () => ({ data: collected(data), open: Object.fromEntries(sealed.map(([path, part]) => [path, part.read() ?? null])) }),
  };
}
