// What is to be signed, prepared by the service, compared with what was asked for, and shown.

import { inCustody } from "./custody.js";
import { unbase64 } from "./encoding.js";
import { showQuestions } from "./questions.js";
import { review } from "./review.js";
import { session } from "./session.js";
import * as statements from "./statement.js";
import * as tree from "./tree.js";

// Fill in what follows from who signs, and when; a role stands for the whole of `actor`.
function complete(written) {
  const { desk } = session;
  const { role, ...given } = written;
  const live = desk.keys.filter((each) => each.live);
  const key = live.find((each) => !inCustody(each)) ?? live.at(-1);
  if (!key) throw new Error("You have no passkey that may sign yet.");
  const now = statements.instant();
  const [kind, name] = String(given.stream).split("/");
  const value = {
    v: 1,
    log: desk.log,
    id: statements.newId(),
    schema: 1,
    occurred_at: now,
    signed_at: now,
    meaning: "authorship",
    ...given,
    key: { alg: key.key.alg, id: key.key.id },
  };
  if (role !== undefined) value.actor = { id: desk.person, name: desk.name, organisation: desk.organisation, role };
  if (["site", "pharmacy"].includes(kind)) value.site ??= name;
  return value;
}

function classOf(type, stream) {
  const known = session.catalogue.types.find((each) => each.type === type);
  if (!known) throw new Error(`The catalogue has no type ${type}.`);
  if (known.class === "control") return "control";
  return stream === "safety" || /^(pharmacy|access)\//.test(stream) ? "restricted" : "open";
}

// Text as the record format takes it (§1): composed, lines ended by \n, without marks that nobody sees. What was pasted
// from elsewhere has them; what is signed is shown before.
function composed(value) {
  if (typeof value === "string") {
    return value.normalize("NFC").replace(/\r\n?|[\u2028\u2029]/g, "\n").replace(/[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]/g, "");
  }
  if (Array.isArray(value)) return value.map(composed);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, composed(each)]));
}

// `written` is an action as it was entered or pasted; `opened` has what is sealed of it, by path. `recorded` is done
// where it was entered once it needs nothing more.
export async function ask(written, toSeal, recorded = () => {}) {
  const { desk, questions, service } = session;
  const asked = complete(composed(written));
  const opened = composed(toSeal);
  asked.class ??= classOf(asked.type, asked.stream);
  const had = tree.have(desk.log);
  const prepared = await service.post("/statements:prepare", had ? { action: asked, open: opened, have: had } : { action: asked, open: opened });
  const head = tree.readHead(prepared.head);
  if (head.origin !== desk.log) throw new Error("The head is of another log.");
  if (had) await tree.checkConsistency(had, head, prepared.consistency);
  const body = unbase64(prepared.statement);
  const statement = statements.parse(body);
  const values = await statements.openSealed(statement, prepared.disclosures);
  await statements.checkAsked(statement, values, asked, opened);
  if (statement.seen.size !== head.size || statement.seen.root !== head.root) throw new Error("The statement names another head.");
  tree.keep(desk.log, head);
  session.held = { asked, opened, recorded };
  questions.take(asked, opened, prepared.prompts ?? []);
  showQuestions(() => ask(questions.asked, questions.opened, recorded));
  await review({ payload: prepared.statement, payloadType: statements.TYPE, signatures: [], disclosures: prepared.disclosures }, values);
}

// The same once more: something else was recorded meanwhile, or the time of signing has passed.
export function askAgain() {
  const { asked, opened, recorded } = session.held;
  return ask({ ...asked, signed_at: statements.instant() }, opened, recorded);
}

// What another left for a signature of one's own.
export async function readWaiting(submission) {
  session.questions.open = [];
  session.held = null;
  showQuestions();
  await review(submission, {});
}
