// What a signature over a form, a visit, a participant or their eligibility covers, read before it is signed.

import { scopePath } from "./covered.js";
import { canonical, hex, sha256, utf8 } from "./encoding.js";
import * as words from "./words.js";

const step = (name) => (/^\d+$/.test(name) ? String(Number(name) + 1) : words.plain(name));
const one = (value) => words.lines(value).map(([path, each]) => [words.place(path), each]);

function shown(value) {
  if (value === null) return "nothing";
  if (typeof value === "object" && "sealed" in value) return `sealed (${value.sealed})`;
  if (typeof value === "object" && "erased" in value) return "erased";
  return one(value).map(([place, each]) => (place === "Data" ? each : `${place}: ${each}`)).join("; ");
}

// What is signed of a participant: the scope, what of it, below which index, and the digest.
function signed({ type, data, seen }) {
  if (type === "eligibility.confirmed") return ["eligibility", undefined, seen.size, data.criteria_sha256];
  if (type !== "record.signed") return null;
  return [data.scope, { form: data.statement, visit: data.visit, milestone: data.milestone }[data.scope], data.upto, data.sha256];
}

// The digest of what is shown, computed here; of what the role does not see all, the one that is told.
async function digestOf({ criteria, lines, not_shown, sha256: told }) {
  if (not_shown || told === null) return told;
  const rows = criteria
    ? criteria.map((each) => [each.criterion, each.event]).sort(([one], [other]) => (one < other ? -1 : 1))
    : lines.map((each) => [each.index, each.event]);
  return hex(await sha256(utf8(canonical(rows))));
}

// The statements under a digest, as the service shows them to who signs; the digest has to be the one asked for.
export async function read(service, statement) {
  const asked = statement.stream.startsWith("participant/") ? signed(statement) : null;
  if (asked === null) return null;
  const [scope, of, upto, digest] = asked;
  const found = await service.get(scopePath(statement.stream, scope, of, upto));
  if ((await digestOf(found)) !== digest) throw new Error("This signature is not over what the record holds: its digest is another.");
  return found;
}

// How many there are, and what each is about.
export function told(found) {
  const hidden = found.not_shown ? `, ${found.not_shown} of them not shown to your role` : "";
  const what = found.criteria ? "criteria, each as it was assessed last" : "statements";
  return `${found.statements} ${what}, below entry ${found.upto}${hidden}. The digest of this list is the one that you sign.`;
}

// The lines in the order of the criteria, each with its words; else as they are.
export function inOrder({ criteria, lines }) {
  if (!criteria) return lines.map((line) => [line, null]);
  const shown = new Map(lines.map((line) => [line.index, line]));
  const about = ({ criterion, kind, text }) => `${criterion}${kind ? `, ${kind}: ${text}` : ""}`;
  return criteria.filter((each) => shown.has(each.index)).map((each) => [shown.get(each.index), `${about(each)} – ${words.plain(each.result)}`]);
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
