// What is signed, shown to be read before. Everything that is shown comes from the bytes to be signed.

import { inCustody } from "./custody.js";
import { canonical, fromUtf8, hex, utf8 } from "./encoding.js";
import * as scopes from "./scope.js";
import { at, rows, show } from "./screen.js";
import { session } from "./session.js";
import * as statements from "./statement.js";
import * as words from "./words.js";

const KEPT = "It is unlocked for this one signature. Your id is needed at the first one since you logged in, and after a break.";
const ANEW = "What stands above is prepared once more as it is signed: its place in the log may be another by then, and this page compares everything else.";
const HASH = /^[0-9a-f]{64}$/;

async function showScope(statement) {
  at("scopepart").hidden = true;
  const found = await scopes.read(session.service, statement);
  if (found === null) return;
  at("scopesaid").textContent = scopes.told(found);
  at("scope").replaceChildren(...scopes.inOrder(found).map(([line, about]) => {
    const row = document.createElement("li");
    const { what: said, who, when, values } = scopes.describe(line);
    const what = about ?? said;
    for (const text of [what, who, when]) {
      const told = row.appendChild(document.createElement("div"));
      told.textContent = text;
      if (text !== what) told.className = "hint";
    }
    row.appendChild(document.createElement("dl")).append(...values.flatMap(([name, value]) => {
      const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
      [term.textContent, detail.textContent] = [name, value];
      return [term, detail];
    }));
    return row;
  }));
  at("scopepart").hidden = false;
}

// What an earlier record that is named by its hash says: fetched, and told only where it has that very hash.
async function named(data) {
  const hashes = new Set(words.lines(data).filter(([path, value]) => HASH.test(value) && !path.at(-1)?.endsWith("sha256")).map(([, value]) => value));
  const found = await Promise.all([...hashes].map(async (hash) => {
    const entry = await session.service.get(`/events/${hash}.json`).catch(() => null);
    if (!entry?.statement) return [hash, undefined];
    const event = hex(await statements.eventHash(utf8(canonical(entry.statement))));
    const { actor, occurred_at: occurred, type } = entry.statement;
    return [hash, event === hash ? `${words.verb(type)}${words.of(entry.statement)}, ${words.time(occurred)[0]}, by ${actor.name}` : undefined];
  }));
  return new Map(found);
}

export async function review(submission, opened) {
  const { catalogue, desk } = session;
  const body = statements.bodyOf(submission);
  const statement = statements.parse(body);
  const event = await statements.eventHash(body);
  const refs = statements.signers(statement);
  const mine = desk.keys.find((each) => refs.some((ref) => ref.id === each.key.id));
  if (!mine) throw new Error("This statement does not ask for a passkey of yours.");
  const kept = inCustody(mine);
  at("custodypart").hidden = !kept;
  at("custodysaid").textContent = `${KEPT}${session.held ? ` ${ANEW}` : ""}`;
  at("sign").textContent = kept ? "Sign with my secret" : "Sign with my passkey";
  const known = catalogue.types.find((each) => each.type === statement.type && each.schema === statement.schema);
  const [kind, name] = words.about(statement);
  await showScope(statement);
  const own = statement.key.id === mine.key.id;
  at("sentence").textContent = `${words.capital(words.verb(statement.type))}${words.of(statement)}`;
  at("about").textContent = known ? words.described(known) : "";
  const [occurred, occurredHere] = words.time(statement.occurred_at);
  const [signed, signedHere] = words.time(statement.signed_at);
  rows("members", [
    ["Signed by", statement.actor.name, `${statement.actor.organisation}, as ${words.plain(statement.actor.role)}`],
    ["Meaning", own ? words.meaning(statement.meaning) : "You confirm with your key", own ? statement.meaning : `signed for ${statement.meaning} by ${statement.actor.name}`],
    ["Action", words.verb(statement.type), `${statement.type}, schema ${statement.schema}`],
    [kind, name],
    ...(statement.site && kind !== "Site" ? [["Site", statement.site]] : []),
    ...(statement.protocol ? [["Protocol version", statement.protocol]] : []),
    ["Happened at", occurred, occurredHere],
    ["Signed at", signed, signedHere],
    ...(statement.originator ? [["Comes from", statement.originator.id, words.plain(statement.originator.kind)]] : []),
    ...(statement.reason ? [["Reason", words.plain(statement.reason.code)]] : []),
  ]);
  const told = await named(statement.data);
  rows("data", words.lines(statement.data).map(([path, value]) => [words.place(path), value, told.get(value)]));
  at("sealedpart").hidden = !Object.keys(opened).length;
  rows("sealed", Object.entries(opened).flatMap(([path, value]) => words.lines(value, path.split("/").slice(1).map(words.plain))).map(([path, value]) => [words.place(path), value]));
  rows("technical", [
    ["Hash that you sign", hex(event), "", true],
    ["Place", `number ${statement.seq} of ${statement.stream}`],
    ["After", statement.prev, "", true],
    ["Log as you know it", `${statement.seen.size} entries`, statement.seen.root],
    ["Your key", mine.key.id, "", true],
    ["Identifier", statement.id, "", true],
  ]);
  at("bytes").textContent = fromUtf8(body);
  at("declare").textContent = `By signing, ${desk.name} (${desk.organisation}) says of what stands above: “${own ? words.meaning(statement.meaning) : "this key is mine, and I confirm this"}”. It is the same as a signature by hand.`;
  session.read = { submission, statement, event, mine };
  show("review");
}
