// A statement in words: what a person reads before they sign.

const MEANINGS = {
  authorship: "I made this record",
  review: "I have reviewed this",
  approval: "I approve this",
  responsibility: "I take responsibility for this",
  verification: "I have verified this",
  attestation: "I attest this",
};

const STREAMS = {
  participant: "Participant",
  person: "Person",
  pharmacy: "Pharmacy of site",
  randomization: "Randomization list",
  site: "Site",
};

const SPELLED = new Set(["ae", "capa", "dea", "ecg", "ehr", "id", "irb", "pdf", "sae"]);

export const meaning = (name) => MEANINGS[name] ?? name;

// A name of the catalogue in words, with what is spelled by its letters.
export const plain = (name) => name.split("_").map((word) => (SPELLED.has(word) ? word.toUpperCase() : word)).join(" ");

// Whom or what a record is about: the participant, the site, or what of the whole study it is kept with.
export function about({ stream, data }) {
  const [kind, name] = stream.split("/");
  if (name !== undefined) return [STREAMS[kind] ?? kind, name];
  if (typeof data.participant === "string") return ["Participant", data.participant];
  return ["Kept with", kind === "study" ? "the study" : `${kind} of the study`];
}

// The same after what was done, in one line.
export function of(statement) {
  const [kind, name] = about(statement);
  return kind === "Kept with" ? "" : `, ${kind.toLowerCase()} ${name}`;
}

export const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

// The place of a value: its members from the outside in, numbers from 1.
export const place = (path) => capital(path.join(" › ") || "data");

export const verb = (type) => type.split(".").map(plain).join(" ");

// What a type of the catalogue is for: the first line of its description, without what stands in brackets at its end.
export const described = (spec) => (spec.data.description ?? "").split("\n")[0].replace(/ \((?:[^()]|\([^()]*\))*\)\.$/, ".").replaceAll("`", "");

// A time with its zone: as it stands in the record, and in the zone of the reader's machine.
export function time(written) {
  if (!/T/.test(written)) return [written, "a date as entered, without a time"];
  const zone = /(Z|[+-]\d\d:\d\d)$/.exec(written)?.[1] ?? "";
  const [day, clock] = written.slice(0, written.length - zone.length).split("T");
  const shown = `${day} ${clock.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "")} ${zone === "Z" ? "UTC" : zone}`;
  const local = new Intl.DateTimeFormat("en-GB", {
    dateStyle: "full",
    timeStyle: "long",
  }).format(new Date(written));
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return [shown, name === "UTC" ? local : `${local} (${name})`];
}

// Every value below a member, one line each, in the order of their names.
export function lines(value, path = []) {
  if (value !== null && typeof value === "object" && "value" in value && "unit" in value) {
    return [[path, `${value.value} ${value.unit}`]];
  }
  if (Array.isArray(value) && value.length && value.every((each) => each === null || typeof each !== "object")) {
    return [[path, value.map(scalar).join(", ")]];
  }
  if (value !== null && typeof value === "object") {
    const members = Array.isArray(value) ? value.map((each, n) => [`${n + 1}`, each]) : Object.entries(value);
    if (!members.length) return [[path, "none"]];
    return members.flatMap(([name, each]) => lines(each, [...path, plain(name)]));
  }
  return [[path, scalar(value)]];
}

function scalar(value) {
  if (value === null) return "nothing entered";
  if (value === true) return "yes";
  if (value === false) return "no";
  return String(value);
}
