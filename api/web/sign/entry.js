// A record to be made, entered in a form: where, what, when it happened, and the values that its type has.

import { corrects, prepareCorrection } from "./correction.js";
import { covers, prepareCovered } from "./covered.js";
import { due, showDue } from "./due.js";
import { clinical, clock, fields, latest, wrong } from "./form.js";
import { known } from "./known.js";
import { asks, prepareQuestionnaire } from "./questionnaire.js";
import { at, mayLose } from "./screen.js";
import { prepareUnblinding, UNBLINDING } from "./unblinding.js";
import { capital, described, plain, verb } from "./words.js";

const NEW = "participant/";
const KINDS = { site: "Site", pharmacy: "Pharmacy of site", study: "The study", safety: "Safety of the study" };
const REASONS = {
  [UNBLINDING]: ["treatment decision"],
  "record.voided": ["entered in error"],
  any: ["late entry", "transcription"],
};
const LABELS = {
  [UNBLINDING]: { asked_by: "Asked for by, where it is nobody of the study", disclosed_to: "Also shown to", means: "Shown by", statement: "Allocation" },
  "record.voided": { code: "What is wrong with it", right: "The right record", statement: "Record that does not count" },
};

function option(value, text) {
  return Object.assign(document.createElement("option"), { value, textContent: text });
}

const key = (spec) => `${spec.type} ${spec.schema}`;

// A type by its words; where it has several forms, those beside the first say what they are for.
function named(spec, among) {
  const words = capital(verb(spec.type));
  const first = Math.min(...among.filter((each) => each.type === spec.type).map((each) => each.schema));
  return spec.schema === first ? words : `${words} – ${described(spec).replace(/\.$/, "")}`;
}

function group(label, options) {
  const node = Object.assign(document.createElement("optgroup"), { label });
  node.append(...options);
  return node;
}

export class Entry {
  #service;
  #catalogue;
  #types;
  #places;
  #newest;
  #versions;
  #unplanned;
  #role;
  #form = null;
  #place = null;
  #spec = null;
  #found = () => null;
  #files = [];
  #chosen = { place: "", type: "" };
  #clock = "";

  constructor(service, catalogue, found) {
    this.#service = service;
    this.#role = found.role;
    this.#newest = found;
    this.#versions = new Map(found.versions.map((each) => [each.protocol, each]));
    this.#unplanned = new Set(found.unplanned);
    this.#types = catalogue.types.filter((each) => found.role in each.roles);
    this.#places = this.#streams(found.places);
    this.#catalogue = catalogue;
    at("place").replaceChildren(option("", "choose"), ...this.#grouped());
    at("place").onchange = () => this.#leave("place") && this.#choosePlace();
    at("type").onchange = () => this.#leave("type") && this.#chooseType();
    at("emergency").hidden = this.#emergency() === null;
    this.#choosePlace();
  }

  get role() {
    return this.#role;
  }

  // The unblinding that the role signs, and the place of such records.
  #emergency() {
    const spec = this.#types.find((each) => each.type === UNBLINDING && !this.#unplanned.has(each.type));
    const place = spec ? this.#places.findIndex((each) => spec.streams.includes(each.stream)) : -1;
    return place < 0 ? null : { place: String(place), type: key(spec) };
  }

  // Open the form of an emergency unblinding, wherever one was.
  async unblind() {
    if (this.unfinished && !mayLose()) return;
    const { place, type } = this.#emergency();
    this.at(place);
    at("type").value = type;
    await this.#chooseType();
    at("fields").querySelector("input, select").focus();
  }

  // The option of a stream's place; null where it has none.
  placeOf(stream) {
    const found = this.#places.findIndex((each) => each.stream === stream);
    return found < 0 ? null : String(found);
  }

  // Choose a place, by its option.
  at(value) {
    at("place").value = value;
    this.#choosePlace();
  }

  get empty() {
    return this.#places.length === 0;
  }

  // Whether something was entered that leaving the page would lose.
  get unfinished() {
    return this.#filled || (this.#form !== null && (this.#retimed || ["reason", "why"].some((id) => at(id).value.trim() !== "")));
  }

  get #filled() {
    return this.#form !== null && this.#form.filled();
  }

  get #retimed() {
    return at("occurred").value !== this.#clock;
  }

  // Another form takes the place of what was entered: who does not want that stays where they were. What is asked
  // of every type is kept; another place has other clocks.
  #leave(chooser) {
    const lost = this.#filled || (chooser === "place" && this.#form !== null && this.#retimed);
    if (!lost || mayLose()) return true;
    at(chooser).value = this.#chosen[chooser];
    return false;
  }

  // Of the kinds of streams that the role writes to: those of participants and sites, and the study's own.
  #streams(known) {
    const kinds = new Set(this.#types.flatMap((each) => each.streams));
    const sites = known.filter((each) => each.stream.startsWith("site/"));
    const whole = { site: null, protocol: sites[0]?.protocol ?? null, zone: "UTC" };
    return [
      ...known.filter((each) => kinds.has(each.stream.split("/")[0])),
      ...(kinds.has("pharmacy") ? sites.map((each) => ({ ...each, stream: `pharmacy/${each.site}` })) : []),
      ...["study", "safety"].filter((kind) => kinds.has(kind)).map((kind) => ({ ...whole, stream: kind })),
      ...(this.#types.some((each) => each.type === "participant.registered") ? sites.map((each) => ({ ...each, stream: NEW })) : []),
    ];
  }

  #grouped() {
    const named = this.#places.map((each, n) => [each, option(String(n), this.#label(each))]);
    const of = (kind) => named.filter(([each]) => kind(each)).map(([, node]) => node);
    const groups = [
      ["Participants", of((each) => each.stream.startsWith(NEW) && each.stream !== NEW)],
      ["Somebody new", of((each) => each.stream === NEW)],
      ["Elsewhere", of((each) => !each.stream.startsWith(NEW))],
    ];
    return groups.filter(([, options]) => options.length).map(([label, options]) => group(label, options));
  }

  #label({ stream, site }) {
    const [kind, name] = stream.split("/");
    if (stream === NEW) return `A new participant of ${site}`;
    return kind === "participant" ? `${name} (${site})` : `${KINDS[kind]}${name ? ` ${name}` : ""}`;
  }

  #choosePlace() {
    this.#place = this.#places[Number(at("place").value || NaN)] ?? null;
    const kind = this.#place?.stream.split("/")[0];
    const isNew = this.#place?.stream === NEW;
    const fitting = this.#types.filter((each) => (isNew ? each.type === "participant.registered" : each.streams.includes(kind) && each.type !== "participant.registered"));
    const options = (types) => types.map((each) => option(key(each), named(each, fitting)));
    const planned = fitting.filter((each) => !this.#unplanned.has(each.type));
    const sections = [...new Set(planned.map((each) => each.section))].sort();
    const groups = sections.map((section) => group(
      this.#catalogue.sections[section] ?? section,
      options(planned.filter((each) => each.section === section)),
    ));
    const others = fitting.filter((each) => this.#unplanned.has(each.type));
    if (others.length) groups.push(group("Not planned by this protocol", options(others)));
    const before = at("type").value;
    at("type").replaceChildren(option("", "choose"), ...groups);
    at("type").value = fitting.some((each) => key(each) === before) ? before : isNew ? key(fitting[0]) : "";
    at("occurred").value = this.#clock = this.#place ? clock(this.#place.zone) : "";
    at("zone").textContent = !this.#place ? "" : this.#place.zone === "UTC" ? "in UTC" : `on the clocks of ${this.#place.zone}`;
    this.#tellDue();
    this.#chooseType();
  }

  // What stands there helps to choose, and is left out where it can't be had.
  async #tellDue() {
    const place = this.#place;
    showDue([]);
    const name = place?.stream.startsWith(NEW) ? place.stream.slice(NEW.length) : "";
    if (!name) return;
    const found = await this.#service.get(`/projections/visits?limit=1000&participant=${encodeURIComponent(name)}`).catch(() => ({ rows: [] }));
    if (place === this.#place) showDue(due(found.rows, this.#asked(place).names.visit));
  }

  // What the version asks that the participant is under.
  #asked(place) {
    return this.#versions.get(place.protocol) ?? this.#newest;
  }

  async #chooseType() {
    this.#spec = this.#types.find((each) => key(each) === at("type").value && this.#place) ?? null;
    this.#chosen = { place: at("place").value, type: at("type").value };
    [this.#form, this.#found] = [null, () => null];
    at("fields").replaceChildren();
    at("formrest").hidden = this.#spec === null;
    at("typesaid").textContent = this.#spec ? described(this.#spec) : "";
    if (this.#spec === null) return;
    const [spec, place] = [this.#spec, this.#place];
    const asked = this.#asked(place);
    const meanings = spec.roles[this.#role];
    at("meaning").replaceChildren(...meanings.map((each) => option(each, plain(each))));
    at("meaning").value = meanings.includes("authorship") ? "authorship" : meanings[0];
    at("meaningpart").hidden = meanings.length < 2;
    at("reasonpart").open = spec.reason_required;
    at("reasonpart").querySelector("summary").textContent = spec.reason_required ? "Reason, which has to be given" : "Reason, for what is late or changed";
    at("reason").setAttribute("aria-required", String(spec.reason_required));
    at("reasons").replaceChildren(...(REASONS[spec.type] ?? REASONS.any).map((each) => option(each, "")));
    const [events, view] = await Promise.all([this.#events(place), this.#view(place)]);
    if (spec !== this.#spec || place !== this.#place) return; // another was chosen meanwhile
    this.#files = [];
    this.#form = fields(spec.data, { files: this.#files, zone: place.zone, names: asked.names, known: { ...known(view, spec.type), participant: this.#participants() }, labels: LABELS[spec.type], events: this.#fitting(spec, events), path: (label) => label });
    at("fields").replaceChildren(...this.#form.nodes);
    if (corrects(spec)) {
      const { stream, zone } = place;
      this.#found = prepareCorrection({ form: this.#form, spec, stream, zone, events, service: this.#service, types: this.#catalogue.types });
    }
    if (asks(spec)) prepareQuestionnaire(this.#form.data, asked.instruments);
    if (covers(spec)) this.#found = prepareCovered({ form: this.#form, spec, stream: place.stream, service: this.#service });
    if (spec.type === UNBLINDING) this.#found = prepareUnblinding(this.#form.data, (name) => this.#allocation(name));
  }

  // What can be named: void is not what is void already, nor what the catalogue lets nobody void.
  #fitting(spec, events) {
    if (spec.type !== "record.voided") return events;
    const never = new Set(this.#catalogue.types.filter((each) => !each.voidable).map((each) => each.type));
    return events.filter((each) => !each.voided && !never.has(each.type));
  }

  // Of a new participant the id is not one of those that are there.
  #participants() {
    if (this.#place.stream === NEW) return [];
    const streams = this.#places.map((each) => each.stream).filter((each) => each.startsWith(NEW) && each !== NEW);
    return streams.map((each) => ({ id: each.slice(NEW.length), name: "" }));
  }

  // The version that a record is under: of when it was done, and of a gate the one that is in force now.
  #protocolAt(occurred, data) {
    const { protocol, earlier = [], zone } = this.#place;
    if (this.#spec.effect === "gate" && !("performed_outside" in data)) return protocol;
    const last = latest(occurred, zone);
    return earlier.find((each) => last < Date.parse(each.until))?.protocol ?? protocol;
  }

  // The newest allocation of a participant that who asks is shown, or null. What it holds stays sealed.
  async #allocation(name) {
    const found = await this.#ofParticipant({ stream: NEW + name }, "/timeline.json", { timeline: [] });
    return found.timeline.filter((each) => each.type === "participant.randomized").at(-1) ?? null;
  }

  async #ofParticipant({ stream }, path, otherwise) {
    const name = stream.startsWith(NEW) && stream !== NEW ? stream.slice(NEW.length) : null;
    if (name === null) return otherwise;
    return this.#service.get(`/participants/${encodeURIComponent(name)}${path}`).catch(() => otherwise);
  }

  // The participant's record as who asks reads it.
  async #view(place) {
    return this.#ofParticipant(place, ".json", {});
  }

  // What was recorded of the participant, newest first, for members that name a statement.
  async #events(place) {
    const found = await this.#ofParticipant(place, "/timeline.json", { timeline: [] });
    return found.timeline.filter((each) => each.index >= 0 && !each.administrative).reverse().map((each) => ({
      id: each.event,
      type: each.type,
      voided: "voided_by" in each,
      corrected: (each.corrected_by ?? []).length > 0,
      name: `${verb(each.type)}, entry ${each.index}, ${(each.occurred.local ?? each.occurred.text).slice(0, 16).replace("T", " ")}`,
    }));
  }

  // What was recorded is not asked for again by pressing once more. The place stays, for what is recorded next.
  clear() {
    for (const id of ["type", "reason", "why"]) at(id).value = "";
    this.#choosePlace();
  }

  // What is asked to be prepared, in the form that is pasted else: the action, and what is sealed of it.
  async read() {
    await this.#found();
    if (this.#form === null) throw wrong(this.#place ? "What" : "Where", "choose one", at(this.#place ? "type" : "place"));
    const { stream, site, zone } = this.#place;
    await Promise.all(this.#files.map((each) => each.ready));
    const { data, open } = this.#form.read();
    const code = at("reason").value.trim().toLowerCase().replace(/[\s-]+/g, "_");
    const why = at("why").value.trim();
    if (code === "" && (why !== "" || this.#spec.reason_required)) throw wrong("Reason", "expected a word for it, such as transcription", at("reason"));
    const [kind] = stream.split("/");
    const occurred = clinical("When it happened", at("occurred").value, zone, at("occurred"));
    const protocol = this.#protocolAt(occurred, data);
    for (const each of this.#files.filter((one) => one.name)) await this.#service.attach(each.name, each.bytes);
    return {
      type: this.#spec.type,
      schema: this.#spec.schema,
      stream: stream === NEW ? NEW + data.participant : stream,
      ...(site === null ? {} : { site }),
      ...(protocol !== null && kind === "participant" ? { protocol } : {}),
      role: this.#role,
      meaning: at("meaning").value,
      occurred_at: occurred,
      data,
      ...(code ? { reason: { code } } : {}),
      open: { ...open, ...(code ? { "/reason/text": why || null } : {}) },
    };
  }
}
