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
let service;
let desk;
let catalogue;
let questions;
let entry = null;
let held = null; // what was asked for and is not recorded, for whom: a token can end while it is read

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

// Do something that may fail, say why it did, and leave the buttons as they were.
async function attempt(work) {
  say("");
  const [buttons, pressed] = [[...document.querySelectorAll("button")], document.activeElement];
  buttons.forEach((button) => (button.disabled = true));
  try {
    await work();
  } catch (error) {
    say(told(error), true);
    if (ended(error)) show("enter");
    if (error.code === "ROLE_NEEDED") at("rolepart").hidden = false;
  } finally {
    buttons.forEach((button) => (button.disabled = false));
    if (document.activeElement === document.body) pressed.focus();
  }
}

const ended = (error) => error.status === 401 && desk !== undefined;

function told(error) {
  if (error.name === "NotAllowedError") return "The passkey was not used: nothing was signed.";
  if (ended(error)) return "You are not let in any more. Nothing was recorded. Enter again, and you go on here.";
  return error.message;
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
  service = new Service(study, token, at("role").value.trim());
  questions = new Questions(service);
  desk = await service.get("/signing");
  if (!desk.origins.includes(location.origin)) throw new Error("This study signs at another address than this one.");
  catalogue ??= await service.get("/catalogue");
  at("who").textContent = `${desk.name}, ${desk.organisation} · study ${desk.study}`;
  at("who").hidden = false;
  await openForm();
  list();
  show("desk");
  if (held?.person === desk.person) await again();
  else held = null;
}

// The form is for who records at the study's sites; others sign what waits for them, or is pasted.
async function openForm() {
  entry = null;
  try {
    const found = new Entry(service, catalogue, await service.get("/signing/places"));
    if (!found.empty) entry = found;
  } catch (error) {
    if (error.status !== 403 && error.status !== 404) throw error;
  }
  at("form").hidden = entry === null;
  at("asjson").open = entry === null;
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

// Record it. Sent twice it is recorded once, so that who got no answer may sign again.
async function record(submission) {
  try {
    return await service.post("/statements", submission);
  } catch (error) {
    if (error instanceof Unreached) throw new Error(`${error.message} Whether it was recorded is not known here: sign once more to find out, it is recorded once.`);
    if (error.code !== "STALE" || !held) throw error;
    await again();
    throw new Error("Something else was recorded meanwhile, and yours was not. It stands here anew: read it again before you sign.");
  }
}

async function sign(submission, statement, event, mine) {
  if (questions.open.length) throw new Error("Answer the open questions before you sign.");
  const made = await passkey.sign(event, mine);
  const given = new Map(submission.signatures.map((each) => [each.keyid, each]));
  given.set(mine.key.id, made);
  const signatures = statements.signers(statement).map((ref) => given.get(ref.id));
  if (signatures.includes(undefined)) throw new Error("Somebody else has to sign this first.");
  const recorded = await record({ ...submission, signatures });
  if (recorded.event !== hex(event)) throw new Error("The service recorded something else than what you signed.");
  const waits = recorded.state === "waiting";
  at("done").querySelector("h2").textContent = waits ? "Kept, not recorded yet" : "Recorded";
  at("recorded").textContent = `${words.capital(words.verb(statement.type))}, signed by ${desk.name}.`;
  at("waits").hidden = !waits;
  at("keep").hidden = waits;
  if (held) clear();
  held = null;
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

// What was recorded is not asked for again by pressing once more.
function clear() {
  at("action").value = "";
  entry?.clear();
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
  await service.delete("/sessions/current");
  [service, desk, held, entry] = [undefined, undefined, null, null];
  at("who").hidden = at("logout").hidden = true;
  show("enter");
  say("You are logged out.");
}

async function back() {
  held = null;
  desk = await service.get("/signing");
  list();
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
    at("logout").hidden = !token.startsWith("session_");
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

const study = addressed();
if (study) at("study").value = study.address;

// A workspace of that service may open this page and hand over the token and what is to be signed.
if (study && window.opener) {
  window.addEventListener("message", (event) => {
    if (event.origin !== study.workspace || event.source !== window.opener || typeof event.data?.token !== "string") return;
    attempt(async () => {
      held = null;
      await enter(study.address, event.data.token);
      if (event.data.action) await ask(event.data.action, event.data.open ?? {});
    });
  });
  window.opener.postMessage("ready", study.workspace);
}
