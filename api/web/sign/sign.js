// The page: enter, choose, read, sign, keep the receipt. Everything that is shown comes from the bytes to be signed.

import { base64, fromUtf8, hex, unbase64 } from "./encoding.js";
import { Entry } from "./entry.js";
import * as passkey from "./passkey.js";
import { Questions } from "./prompts.js";
import * as scopes from "./scope.js";
import { Service, Unreached } from "./service.js";
import * as statements from "./statement.js";
import * as tree from "./tree.js";
import * as words from "./words.js";

const at = (id) => document.getElementById(id);
const PARTS = ["enter", "desk", "review", "done"];
const SHOWN = ["sentence", "about", "members", "data", "sealed", "technical", "bytes", "scope", "prompts", "declare", "recorded", "receipt", "fields", "waiting", "keys"];
const AT_ONCE_MS = 4 * 60_000; // the ledger remarks on who signs five minutes before it is recorded
let service;
let desk;
let catalogue;
let questions;
let entry = null;
let held = null; // what was asked for and is not recorded, for whom: a token can end while it is read
let sent = null; // what was signed and handed in without an answer: it may be recorded, or not
let busy = false;
let missed = false; // a workspace sent something while somebody signed

function show(part) {
  for (const name of PARTS) at(name).hidden = name !== part;
  at(part).querySelector("h2").focus(); // the button that led here is hidden, and with it where the keyboard was
  window.scrollTo(0, 0);
}

function say(words_, bad = false) {
  at("said").textContent = words_;
  at("said").className = bad ? "bad" : "";
  at("said").hidden = !words_;
}

// Do something that may fail, say why it did, and leave the buttons as they were. One thing at a time: what is
// shown while a passkey asks is what is signed.
async function attempt(work) {
  if (busy) return;
  busy = true;
  say("");
  const [buttons, pressed] = [[...document.querySelectorAll("button")], document.activeElement];
  buttons.forEach((button) => (button.disabled = true));
  try {
    await work();
  } catch (error) {
    const out = ended(error);
    say(told(error), true);
    if (out) show("enter");
    if (error.code === "ROLE_NEEDED") at("rolepart").hidden = false;
  } finally {
    busy = false;
    if (missed) say(`${at("said").textContent} Your workspace sent another record meanwhile. It isn't shown: send it again.`.trim(), at("said").className === "bad");
    missed = false;
    buttons.forEach((button) => (button.disabled = false));
    if (document.activeElement === document.body) pressed.focus();
  }
}

// The token is not taken any more, wherever it is needed but where it is entered.
const ended = (error) => ["SESSION_EXPIRED", "UNAUTHENTICATED"].includes(error.code) && at("enter").hidden;

const UNKNOWN = "Whether it was recorded is not known here";

function told(error) {
  if (error instanceof passkey.Unused) return error.message;
  if (!ended(error)) return error.message;
  if (sent) return `You are not let in any more. ${UNKNOWN}: enter again, and this page finds out; it is recorded once.`;
  return `You are not let in any more.${at("done").hidden ? " Nothing was recorded." : ""} Enter again, and you go on here.`;
}

// Nothing that one person wrote or was shown is left for the next.
function forget() {
  [held, sent] = [null, null];
  at("ask").reset();
  at("form").reset();
  at("asjson").open = false;
  for (const name of SHOWN) at(name).replaceChildren();
}

function rows(list, pairs) {
  const items = pairs.flatMap(([name, value, aside, code]) => {
    const [term, detail] = [document.createElement("dt"), document.createElement("dd")];
    term.textContent = name;
    const shown = detail.appendChild(document.createElement(code ? "code" : "span"));
    shown.textContent = value;
    if (aside) {
      const more = detail.appendChild(document.createElement("span"));
      more.className = "aside";
      more.textContent = aside;
    }
    return [term, detail];
  });
  at(list).replaceChildren(...items);
}

function item(title, aside, state, live) {
  const row = document.createElement("li");
  const told = row.appendChild(document.createElement("span"));
  told.textContent = title;
  if (aside) {
    const more = told.appendChild(document.createElement("span"));
    more.className = "hint";
    more.textContent = ` ${aside}`;
  }
  if (state) {
    const mark = row.appendChild(document.createElement("span"));
    mark.className = `state ${live ? "live" : "not"}`;
    mark.textContent = state;
  }
  return row;
}

async function enter(study, token) {
  const found = new Service(study, token, at("role").value.trim());
  const mine = await found.get("/signing");
  if (!mine.origins.includes(location.origin)) throw new Error("This study signs at another address than this one.");
  catalogue ??= await found.get("/catalogue");
  const again_ = desk?.person === mine.person && service.study === found.study;
  if (again_) {
    service.renew(found);
  } else {
    forget();
    service = found;
    questions = new Questions(service);
  }
  desk = mine;
  at("who").textContent = `${desk.name}, ${desk.organisation} · study ${desk.study}`;
  at("who").hidden = false;
  at("logout").hidden = !token.startsWith("session_");
  await openForm(again_);
  list();
  if (sent) {
    show("review");
    await handIn(sent);
    return;
  }
  show("desk");
  if (held) await again();
}

// The form is for who records at the study's sites; others sign what waits for them, or is pasted. Who comes back
// with a new token finds what they entered.
async function openForm(kept = false) {
  let found = null;
  try {
    found = await service.get("/signing/places");
  } catch (error) {
    if (error.status !== 403 && error.status !== 404) throw error;
  }
  if (kept && entry !== null && entry.role === found?.role) return;
  const where = at("place").selectedOptions[0]?.textContent;
  entry = found && new Entry(service, catalogue, found);
  if (entry?.empty) entry = null;
  at("form").hidden = entry === null;
  if (entry === null) at("asjson").open = true;
  const same = entry && [...at("place").options].find((each) => each.value && each.textContent === where);
  if (same) entry.at(same.value);
}

function list() {
  const mine = desk.waiting.map((each) => {
    const statement = statements.parse(statements.bodyOf(each.submission));
    const row = item(words.capital(words.verb(statement.type)), `by ${statement.actor.name}`);
    const button = row.appendChild(document.createElement("button"));
    button.type = "button";
    button.textContent = "Read it";
    button.addEventListener("click", () => attempt(() => {
      questions.open = [];
      held = null;
      return review(each.submission, {});
    }));
    return row;
  });
  at("waiting").replaceChildren(...(mine.length ? mine : [item("Nothing waits for you.")]));
  const keys = desk.keys
    .filter((each) => each.credential !== null)
    .map((each) => item(short(each.key.id), "", each.live ? "may sign" : each.enrolled ? "revoked" : "not enrolled yet", each.live));
  at("keys").replaceChildren(...(keys.length ? keys : [item("You have none yet.")]));
}

const rule = (code) => words.capital(catalogue.rules.find((each) => each.code === code)?.text ?? code);

const short = (id) => `${id.slice(0, 15)}…${id.slice(-6)}`;

async function make() {
  const options = await service.post("/passkeys:begin", {});
  const made = await service.post("/passkeys", await passkey.create(options));
  desk = await service.get("/signing");
  list();
  say(`Your passkey ${short(made.key.id)} was made. An administrator enrols it, then it waits here for your signature.`);
}

// Fill in what follows from who signs, and when; a role stands for the whole of `actor`.
function complete(asked) {
  const { role, ...given } = asked;
  const key = desk.keys.find((each) => each.live && each.credential !== null);
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

// Each question is a row with its own answers; a record is signed when none is open.
function showQuestions() {
  at("promptpart").hidden = !questions.open.length;
  at("prompts").replaceChildren(...questions.open.map(question));
}

function question(prompt) {
  const row = document.createElement("li");
  row.className = "question";
  const told = row.appendChild(document.createElement("p"));
  told.textContent = `${prompt.prompt} You entered ${prompt.entered}.`;
  const confirm = row.appendChild(document.createElement("button"));
  confirm.type = "button";
  confirm.textContent = "It is right";
  confirm.addEventListener("click", () => attempt(async () => {
    await questions.confirm(prompt);
    await ask(questions.asked, questions.opened);
  }));
  const label = row.appendChild(document.createElement("label"));
  label.textContent = "Right value ";
  const input = label.appendChild(document.createElement("input"));
  const change = row.appendChild(document.createElement("button"));
  change.type = "button";
  change.className = "second";
  change.textContent = "Change it";
  change.addEventListener("click", () => attempt(async () => {
    await questions.change(prompt, input.value.trim());
    await ask(questions.asked, questions.opened);
  }));
  return row;
}

async function showScope(statement) {
  at("scopepart").hidden = true;
  const found = await scopes.read(service, statement);
  if (found === null) return;
  const hidden = found.not_shown ? `, ${found.not_shown} of them not shown to your role` : "";
  at("scopesaid").textContent = `${found.statements} statements below entry ${found.upto}${hidden}. The digest of this list is the one that you sign.`;
  at("scope").replaceChildren(...found.lines.map((line) => {
    const row = document.createElement("li");
    const { what, who, when, values } = scopes.describe(line);
    for (const words_ of [what, who, when]) {
      const told = row.appendChild(document.createElement("div"));
      told.textContent = words_;
      if (words_ !== what) told.className = "hint";
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

async function ask(written, opened) {
  const asked = complete(written);
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
  held = { asked, opened, person: desk.person };
  questions.take(asked, opened, prepared.prompts ?? []);
  await review({ payload: prepared.statement, payloadType: statements.TYPE, signatures: [], disclosures: prepared.disclosures }, values);
}

function classOf(type, stream) {
  const known = catalogue.types.find((each) => each.type === type);
  if (!known) throw new Error(`The catalogue has no type ${type}.`);
  if (known.class === "control") return "control";
  return stream === "safety" || /^(pharmacy|access)\//.test(stream) ? "restricted" : "open";
}

async function review(submission, opened) {
  const body = statements.bodyOf(submission);
  const statement = statements.parse(body);
  const event = await statements.eventHash(body);
  const refs = statements.signers(statement);
  const mine = desk.keys.find((each) => each.credential !== null && refs.some((ref) => ref.id === each.key.id));
  if (!mine) throw new Error("This statement does not ask for a passkey of yours.");
  const known = catalogue.types.find((each) => each.type === statement.type && each.schema === statement.schema);
  const [kind, name] = words.about(statement.stream);
  await showScope(statement);
  showQuestions();
  const own = statement.key.id === mine.key.id;
  at("sentence").textContent = `${words.capital(words.verb(statement.type))}${name ? `, ${kind.toLowerCase()} ${name}` : ""}`;
  at("about").textContent = (known?.data.description ?? "").split("\n")[0].replace(/ \((?:[^()]|\([^()]*\))*\)\.$/, ".");
  const [occurred, occurredHere] = words.time(statement.occurred_at);
  const [signed, signedHere] = words.time(statement.signed_at);
  rows("members", [
    ["Signed by", statement.actor.name, `${statement.actor.organisation}, as ${words.plain(statement.actor.role)}`],
    ["Meaning", own ? words.meaning(statement.meaning) : "You confirm with your key", own ? statement.meaning : `signed for ${statement.meaning} by ${statement.actor.name}`],
    ["Action", words.verb(statement.type), `${statement.type}, schema ${statement.schema}`],
    [kind, name || "–"],
    ...(statement.site && kind !== "Site" ? [["Site", statement.site]] : []),
    ...(statement.protocol ? [["Protocol version", statement.protocol]] : []),
    ["Happened at", occurred, occurredHere],
    ["Signed at", signed, signedHere],
    ...(statement.originator ? [["Comes from", statement.originator.id, words.plain(statement.originator.kind)]] : []),
    ...(statement.reason ? [["Reason", words.plain(statement.reason.code)]] : []),
  ]);
  rows("data", words.lines(statement.data).map(([path, value]) => [words.place(path), value]));
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
  at("sign").onclick = () => attempt(() => sign(submission, statement, event, mine));
  show("review");
}

const again = () => ask({ ...held.asked, signed_at: statements.instant() }, held.opened);

// Record it. Sent twice it is recorded once, so that who got no answer may hand it in again.
async function record(signed) {
  try {
    const recorded = await service.post("/statements", signed.submission);
    sent = null;
    return recorded;
  } catch (error) {
    if (ended(error)) throw error;
    const open = error instanceof Unreached || error.code === "STORE_IO" || (sent && (error.status >= 500 || error.status === 429));
    if (open) {
      sent = signed;
      throw new Error(`${error.message} ${UNKNOWN}: sign once more to find out, it is recorded once.`);
    }
    sent = null;
    if (error.code !== "STALE") throw new Error(`Nothing was recorded: ${error.message}`);
    if (!held) throw new Error("Nothing was recorded: something else was recorded meanwhile. This can't be signed any more, it has to be left for you anew.");
    await again().catch((more) => {
      throw new Error(`Something else was recorded meanwhile, and yours was not. ${more.message}`);
    });
    throw new Error("Something else was recorded meanwhile, and yours was not. It stands here anew: read it again before you sign.");
  }
}

async function sign(submission, statement, event, mine) {
  if (questions.open.length) throw new Error("Answer the open questions before you sign.");
  if (sent) {
    await handIn(sent);
    return;
  }
  if (held && Date.now() - Date.parse(statement.signed_at) > AT_ONCE_MS) {
    await again();
    throw new Error("Nothing was signed: the time of signing that stood here had passed. It stands here anew: read it again before you sign.");
  }
  const signatures = await signed(submission, statement, event, mine);
  await handIn({ submission: { ...submission, signatures }, statement, event });
}

async function signed(submission, statement, event, mine) {
  const refs = statements.signers(statement);
  const given = new Map(submission.signatures.map((each) => [each.keyid, each]));
  if (refs.some((ref) => ref.id !== mine.key.id && !given.has(ref.id))) throw new Error("Nothing was signed: somebody else has to sign this first.");
  say("Your passkey asks you now.");
  given.set(mine.key.id, await passkey.sign(event, mine));
  return refs.map((ref) => given.get(ref.id));
}

async function handIn(signed_) {
  say("Signed. It is being recorded: wait for the answer.");
  receipt(await record(signed_), signed_);
}

// Whether what got no answer is in the log, of who does not want to hand it in again.
async function lookUp() {
  const { statement, event } = sent;
  let found;
  try {
    found = await service.get(`/events/${hex(event)}/proof.json`);
  } catch (error) {
    if (ended(error)) throw error;
    if (error.status !== 404) throw new Error(`${error.message} ${UNKNOWN}.`);
    await back();
    say("What you signed is not in the log: nothing was recorded.");
    return;
  }
  finished(statement, false);
  rows("receipt", [["Entry", `${found.index} of the log`], ["Event", hex(event), "", true]]);
  at("keep").onclick = () => save(`${hex(event)}.tlog-proof`, found.receipt);
  show("done");
}

// It needs nothing more of who signed.
function finished(statement, waits) {
  if (held) clear();
  [held, sent] = [null, null];
  at("done").querySelector("h2").textContent = waits ? "Kept, not recorded yet" : "Recorded";
  at("recorded").textContent = `${words.capital(words.verb(statement.type))}, signed by ${desk.name}.`;
  at("waits").hidden = !waits;
  at("keep").hidden = waits;
}

function receipt(recorded, { statement, event }) {
  if (recorded.event !== hex(event)) throw new Error("The service recorded something else than what you signed.");
  const waits = recorded.state === "waiting";
  finished(statement, waits);
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
    ...(recorded.breaches ?? []).map((code) => ["Noted with it", rule(code), code]),
  ]);
  at("keep").onclick = () => save(`${recorded.event}.tlog-proof`, recorded.receipt);
  show("done");
}

// What was recorded is not asked for again by pressing once more; the next may be about somebody who is new.
function clear() {
  at("action").value = "";
  entry?.clear();
  entry = null;
}

function save(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

// A session of one's own, as on the study's start page; its token stays in this window.
async function logIn() {
  const [person, password, role] = ["person", "password", "role"].map((id) => at(id).value.trim());
  if (!person || !password) throw new Error("Enter your id and password, or an access token.");
  const asked = { person, password: at("password").value, bearer: true, ...(role ? { role } : {}) };
  return (await new Service(at("study").value, "").post("/sessions", asked)).token;
}

async function logOut() {
  let said = "You are logged out.";
  try {
    await service.delete("/sessions/current");
  } catch (error) {
    if (error instanceof Unreached) said = "This window has forgotten you. The service can't be reached: there the session ends by itself.";
    else if (!ended(error)) throw error;
  }
  if (sent) said += ` You signed something and got no answer. ${UNKNOWN}: look for it in the study.`;
  forget();
  [service, desk, entry] = [undefined, undefined, null];
  at("who").textContent = "";
  at("who").hidden = at("logout").hidden = true;
  show("enter");
  say(said);
}

async function back() {
  desk = await service.get("/signing");
  if (entry === null) await openForm();
  list();
  [held, sent] = [null, null];
  show("desk");
}

function written(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This can't be read as JSON: ${error.message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("Expected a JSON object with the members of a statement.");
  return value;
}

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const token = at("token").value || await logIn();
    at("token").value = at("password").value = "";
    await enter(at("study").value, token);
  });
});
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { open, ...action } = await entry.read();
    await ask(action, open);
  });
});
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { open = {}, ...action } = written(at("action").value);
    await ask(action, open);
  });
});
at("logout").addEventListener("click", () => attempt(logOut));
at("make").addEventListener("click", () => attempt(make));
at("leave").addEventListener("click", () => attempt(async () => {
  if (sent) {
    await lookUp();
    return;
  }
  await questions.abandon();
  await back();
}));
at("back").addEventListener("click", () => attempt(back));

// The study's address comes in the fragment, which no server sees. The policy of this page lets it reach one
// service alone, whatever stands there.
function addressed() {
  try {
    const address = decodeURIComponent(location.hash.slice(1));
    return address && { address, workspace: new URL(address).origin };
  } catch {
    say("The address of this page names no study: enter its address.", true);
    return null;
  }
}

say("");
const study = addressed();
const able = window.isSecureContext && passkey.known();
at("enter").hidden = !able;
if (!able) say(window.isSecureContext ? "This browser has no passkeys: sign with another one." : "This page was not opened by https: nothing can be signed here.", true);
if (study) at("study").value = study.address;

// A workspace of that service may open this page and hand over the token and what is to be signed.
if (study && able && window.opener) {
  window.addEventListener("message", (event) => {
    if (event.origin !== study.workspace || event.source !== window.opener || typeof event.data?.token !== "string") return;
    const { token, action, open = {} } = event.data;
    if (busy) missed = true;
    attempt(async () => {
      const first = sent; // what became of it is told before anything else is shown
      if (action && !first) held = null;
      if (action && first) missed = true;
      await enter(study.address, token);
      if (action && !first) await ask(action, open);
    });
  });
  window.opener.postMessage("ready", study.workspace);
}

// What is not recorded yet, and what may be, is not left by a slip.
window.addEventListener("beforeunload", (event) => {
  if (held || sent) event.preventDefault();
});
