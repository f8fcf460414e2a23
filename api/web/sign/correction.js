// A correction: which value of which record, what it reads now, and what is right. Of a value that is kept sealed the old
// one is offered where who asks may open it; where each opening is an event, they ask for it.

import { unbase64url, fromUtf8 } from "./encoding.js";
import { field, labelled, wrong } from "./form.js";
import { capital, lines, place, plain } from "./words.js";

const CORRECTING = new Set(["correction.made", "correction.proposed"]);
const SEALED = 2; // the schema of a correction of a sealed value
const SHOWN = 60;

export const corrects = (spec) => CORRECTING.has(spec.type);

function option(value, text) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}

const spoken = (where) => (where === "/occurred_at" ? "When it happened" : place(where.split("/").slice(2).map((step) => (/^\d+$/.test(step) ? String(Number(step) + 1) : plain(step)))));

const written = (value) => lines(value).map(([, each]) => each).join("; ");

const short = (text) => (text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text);

const isMarker = (value) => value !== null && typeof value === "object" && (Object.keys(value).join() === "sealed" || value.erased === true);

// Every value that a correction can name, with its place.
function leaves(statement) {
  const walk = (value, path) => {
    if (value !== null && typeof value === "object") return Object.entries(value).flatMap(([name, each]) => walk(each, `${path}/${name}`));
    return [[path, value]];
  };
  return [["/occurred_at", statement.occurred_at], ...walk(statement.data, "/data")];
}

// What an answer opens of a statement, by path.
function opened(found) {
  return Object.fromEntries(Object.entries(found.open ?? {}).map(([path, coded]) => [path, JSON.parse(fromUtf8(unbase64url(coded)))[3]]));
}

// The records and their values, as who asks reads them now. With a purpose the service opens what takes one, and
// records that it was looked at.
class Values {
  #service;
  #stream;
  #events;

  constructor(service, stream, events) {
    [this.#service, this.#stream, this.#events] = [service, stream, events];
  }

  async of(event, sealed) {
    const found = await this.#service.get(`/events/${encodeURIComponent(event)}.json`);
    const { type, schema } = found.statement;
    if (!sealed) return leaves(found.statement).map(([where, value]) => ({ event, type, schema, where, value }));
    const open = opened(found);
    const paths = Object.keys(found.statement.sealed ?? {}).filter((path) => path.startsWith("/data/"));
    return paths.map((where) => ({ event, type, schema, where, sealed: true, value: where in open ? open[where] : undefined }));
  }

  // Who corrects a value again starts from what it was corrected to.
  async now({ event, type, where, sealed, value }, purpose = "") {
    const query = purpose ? `?purpose=${purpose}` : "";
    const corrected = this.#events.find((each) => each.id === event)?.corrected;
    const [kind, name] = this.#stream.split("/");
    if (corrected && kind === "participant" && where.startsWith("/data/")) {
      const { history } = await this.#service.get(`/participants/${encodeURIComponent(name)}/history/${type}${where}${query}`);
      const current = history.find((each) => each.of.event === event && each.current)?.value;
      if (current !== undefined) return isMarker(current) ? undefined : current;
    }
    if (!sealed || !purpose) return value;
    return opened(await this.#service.get(`/events/${encodeURIComponent(event)}.json${query}`))[where];
  }
}

function changedFrom(old, text) {
  if (text === "") return null;
  if (typeof old === "number" && /^-?\d+$/.test(text)) return Number(text);
  if (typeof old === "boolean" && /^(yes|no)$/i.test(text)) return /^yes$/i.test(text);
  return text;
}

// Fill in the form of a correction. Returns what has to be waited for before it is read.
export function prepareCorrection({ form, spec, stream, zone, events, service, types }) {
  const sealed = spec.schema === SEALED;
  const { statement, path } = form.data;
  const { old, new: changed } = sealed ? form.sealed : form.data;
  const known = new Values(service, stream, events);
  const chooser = document.createElement("select");
  const said = Object.assign(document.createElement("p"), { className: "hint" });
  said.setAttribute("role", "status");
  const open = Object.assign(document.createElement("button"), { type: "button", className: "second small", textContent: "Open what it reads now" });
  const more = changed.node.closest("details");
  statement.node.after(labelled("Which value", chooser), said, open, old.node, changed.node);
  path.node.hidden = old.node.hidden = open.hidden = true;
  if (more?.children.length === 1) more.remove();
  let [values, chosen, settled] = [[], null, null];

  const refuse = () => {
    [values, chosen] = [[], null];
    chooser.replaceChildren(option("", "no such statement is shown to you"));
  };
  const fill = async () => {
    chosen = null;
    show();
    values = await known.of(statement.control.value.trim(), sealed);
    const told = ({ where, value }) => `${spoken(where)}${value === undefined ? "" : `: ${short(written(value))}`}`;
    chooser.replaceChildren(option("", values.length ? "choose" : "nothing in it is kept sealed"), ...values.map((each, n) => option(String(n), told(each))));
  };
  const look = async (purpose) => {
    chosen = null;
    const value = values[Number(chooser.value || NaN)];
    if (value) chosen = { ...value, value: await known.now(value, purpose) };
    show(purpose);
  };
  const settle = (work) => (settled = work.catch(refuse));

  // A sealed value is entered in the field that its type has for it.
  const own = (part, label) => {
    const schema = types.find((each) => each.type === chosen.type && each.schema === chosen.schema)?.data["x-sealed"]?.[chosen.where]?.schema ?? {};
    const made = field("value", schema, { required: false, label, place: { zone, names: {}, events: [], path: (each) => each } });
    part.node.replaceChildren(made.node);
    [part.filled, part.read] = [made.filled, () => made.read() ?? null];
  };
  const show = (purpose = "") => {
    said.textContent = "";
    old.node.hidden = open.hidden = true;
    if (!sealed) {
      if (chosen) entered.placeholder = `now ${written(chosen.value)}`;
      return;
    }
    changed.node.hidden = !chosen;
    if (!chosen) return;
    const isOpen = chosen.value !== undefined;
    own(changed, "Right value, empty where there is none");
    old.node.hidden = isOpen || !purpose;
    open.hidden = isOpen || Boolean(purpose);
    if (isOpen) said.textContent = `It reads now: ${written(chosen.value)}`;
    else if (purpose) said.textContent = "It stays sealed for you: enter what it reads now.";
    else said.textContent = "It is kept sealed. That you open it is recorded.";
    if (isOpen) old.read = () => chosen.value;
    else own(old, "What it reads now");
  };

  statement.control.addEventListener("change", () => settle(fill()));
  chooser.addEventListener("change", () => settle(look()));
  open.addEventListener("click", () => settle(look("correction").then(() => changed.node.querySelector("input, select, textarea")?.focus())));
  chooser.replaceChildren(option("", "choose the statement first"));
  path.read = () => {
    if (!chosen) throw wrong("Which value", "choose one", chooser);
    return chosen.where;
  };
  const entered = changed.node.querySelector("textarea");
  if (sealed) {
    changed.node.hidden = true;
  } else {
    old.read = () => chosen.value;
    entered.rows = 1;
    entered.classList.remove("code");
    changed.node.firstChild.textContent = "Right value";
    changed.node.querySelector(".aside").textContent = "empty where there is none";
    changed.read = () => changedFrom(chosen.value, entered.value.trim());
  }
  return () => settled;
}
