// Sign what was read, have it recorded, and show the receipt; or find out what became of it.

import { askAgain } from "./asking.js";
import { ended, UNKNOWN } from "./attempt.js";
import { inCustody, signInCustody } from "./custody.js";
import { fromUtf8, hex, unbase64 } from "./encoding.js";
import * as passkey from "./passkey.js";
import { at, rows, save, say, show } from "./screen.js";
import { Unreached } from "./service.js";
import { session } from "./session.js";
import * as statements from "./statement.js";
import { offerLook } from "./unblinding.js";
import * as words from "./words.js";

const AT_ONCE_MS = 4 * 60_000; // the ledger remarks on who signs five minutes before it is recorded

export async function sign() {
  const { held, questions, read, sent } = session;
  const { statement } = read;
  if (questions.open.length) throw new Error("Answer the open questions before you sign.");
  if (sent) {
    await handIn(sent);
    return;
  }
  if (held && Date.now() - Date.parse(statement.signed_at) > AT_ONCE_MS) {
    await askAgain();
    throw new Error("Nothing was signed: the time of signing that stood here had passed. It stands here anew: read it again before you sign.");
  }
  if (inCustody(read.mine)) {
    await signKept(read);
    return;
  }
  const signatures = await signaturesOf(read);
  await handIn({ submission: { ...read.submission, signatures }, statement, event: read.event });
}

async function signaturesOf({ submission, statement, event, mine }) {
  const refs = statements.signers(statement);
  const given = new Map(submission.signatures.map((each) => [each.keyid, each]));
  if (refs.some((ref) => ref.id !== mine.key.id && !given.has(ref.id))) throw new Error("Nothing was signed: somebody else has to sign this first.");
  say("Your passkey asks you now.");
  given.set(mine.key.id, await passkey.sign(event, mine));
  return refs.map((ref) => given.get(ref.id));
}

// The service signs and records in one step. Asked for twice with one id, it is recorded once.
async function signKept(read) {
  say("It is being signed and recorded: wait for the answer.");
  let done;
  try {
    done = await signInCustody(read);
  } catch (error) {
    if (ended(error) || error.control) throw error;
    if (error instanceof Unreached || error.status >= 500) {
      session.unsure = true;
      throw new Error(`${error.message} ${UNKNOWN}: sign once more to find out, it is recorded once.`);
    }
    if (session.unsure && error.code === "ID_REUSED" && error.field === "/id") {
      finish(read.statement, false);
      say("It was recorded already: you had no answer.");
      rows("receipt", [["Identifier", read.statement.id, "", true]]);
      at("keep").hidden = true;
      show("done");
      return;
    }
    throw new Error(`${session.unsure ? `${UNKNOWN}` : "Nothing was recorded"}: ${error.message}`);
  }
  showReceipt(done.recorded, { statement: read.statement, event: done.event });
}

export async function handIn(signed) {
  say("Signed. It is being recorded: wait for the answer.");
  showReceipt(await record(signed), signed);
}

// Record it. Sent twice it is recorded once, so that who got no answer may hand it in again.
async function record(signed) {
  try {
    const recorded = await session.service.post("/statements", signed.submission);
    session.sent = null;
    return recorded;
  } catch (error) {
    if (ended(error)) throw error;
    const unknown = error instanceof Unreached || error.code === "STORE_IO" || (session.sent && (error.status >= 500 || error.status === 429));
    if (unknown) {
      session.sent = signed;
      throw new Error(`${error.message} ${UNKNOWN}: sign once more to find out, it is recorded once.`);
    }
    session.sent = null;
    if (error.code !== "STALE") throw new Error(`Nothing was recorded: ${error.message}`);
    if (!session.held) throw new Error("Nothing was recorded: something else was recorded meanwhile. This can't be signed any more, it has to be left for you anew.");
    await askAgain().catch((more) => {
      throw new Error(`Something else was recorded meanwhile, and yours was not. ${more.message}`);
    });
    throw new Error("Something else was recorded meanwhile, and yours was not. It stands here anew: read it again before you sign.");
  }
}

// Whether what got no answer is in the log, of who does not want to hand it in again.
export async function lookUp() {
  const { statement, event } = session.sent;
  let found;
  try {
    found = await session.service.get(`/events/${hex(event)}/proof.json`);
  } catch (error) {
    if (ended(error)) throw error;
    if (error.status !== 404) throw new Error(`${error.message} ${UNKNOWN}.`);
    return false;
  }
  finish(statement, false);
  rows("receipt", [["Entry", `${found.index} of the log`], ["Event", hex(event), "", true]]);
  at("keep").onclick = () => save(`${hex(event)}.tlog-proof`, found.receipt);
  show("done");
  return true;
}

// It needs nothing more of who signed.
export function finish(statement, waits) {
  session.held?.recorded();
  if (!session.entry?.unfinished) session.entry = null; // the next may be about somebody who is new
  [session.held, session.sent, session.unsure] = [null, null, false];
  session.registered = statement.type === "participant.registered" ? statement.stream : "";
  at("done").querySelector("h2").textContent = waits ? "Kept, not recorded yet" : "Recorded";
  at("recorded").textContent = `${words.capital(words.verb(statement.type))}${words.of(statement)}, signed by ${session.desk.name}.`;
  at("waits").hidden = !waits;
  offerLook(statement);
  at("keep").hidden = waits;
}

const rule = (code) => words.capital(session.catalogue.rules.find((each) => each.code === code)?.text ?? code);

function showReceipt(recorded, { statement, event }) {
  if (recorded.event !== hex(event)) throw new Error("The service recorded something else than what you signed.");
  const waits = recorded.state === "waiting";
  finish(statement, waits);
  say("");
  if (waits) {
    rows("receipt", [["Event", recorded.event, "", true]]);
    show("done");
    return;
  }
  const leaf = JSON.parse(fromUtf8(unbase64(recorded.leaf)));
  if (leaf.statement !== recorded.event || leaf.stream !== statement.tag || leaf.class !== statement.class || leaf.site !== (statement.site ?? "")) {
    throw new Error("The log's labels are not those of what you signed.");
  }
  const [when, here] = words.time(leaf.at);
  rows("receipt", [
    ["Entry", `${recorded.index} of the log`],
    ["Recorded at", when, here],
    ["Event", recorded.event, "", true],
    ...(recorded.breaches ?? []).map((code) => ["Not as it should be", rule(code), code]),
  ]);
  at("keep").onclick = () => save(`${recorded.event}.tlog-proof`, recorded.receipt);
  show("done");
}
