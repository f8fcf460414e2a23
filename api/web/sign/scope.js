// What a signature over a form, a visit or a participant covers, read before it is signed (record.signed).

import * as words from "./words.js";

const step = (name) => (/^\d+$/.test(name) ? String(Number(name) + 1) : words.plain(name));
const one = (value) => words.lines(value).map(([path, each]) => [words.place(path), each]);

function shown(value) {
  if (value === null) return "nothing";
  if (typeof value === "object" && "sealed" in value) return `sealed (${value.sealed})`;
  if (typeof value === "object" && "erased" in value) return "erased";
  return one(value).map(([place, each]) => (place === "Data" ? each : `${place}: ${each}`)).join("; ");
}

// The statements under a digest, as the service shows them to who signs; the digest has to be the one asked for.
export async function read(service, statement) {
  const [kind, name] = statement.stream.split("/");
  if (statement.type !== "record.signed" || kind !== "participant") return null;
  const { scope, upto, sha256 } = statement.data;
  const of = { form: statement.data.statement, visit: statement.data.visit, milestone: statement.data.milestone }[scope];
  const query = new URLSearchParams({ scope, upto: String(upto), ...(of ? { of } : {}) });
  const found = await service.get(`/participants/${encodeURIComponent(name)}/signing-scope?${query}`);
  if (found.sha256 !== sha256) throw new Error("This signature is not over what the record holds: its digest is another.");
  return found;
}

// One statement in lines: what it is, who signed it, when, and each of its values.
export function describe(line) {
  const [when] = words.time(line.recorded.local ?? line.recorded.utc);
  return {
    what: line.what,
    who: `${line.who.name}, ${words.plain(line.who.role)}: ${words.meaning(line.meaning)}`,
    when: `entry ${line.index}, recorded ${when}`,
    values: line.changes.map((each) => {
      const old = each.old === null ? "" : `${shown(each.old)} → `;
      return [words.place(each.field.split("/").slice(2).map(step)), `${old}${shown(each.new)}`];
    }),
  };
}
