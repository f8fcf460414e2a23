// The page: enter, choose, read, sign, keep the receipt. What each button does, and how the page is opened.

import { enter, logIn, logOut } from "./access.js";
import { ask } from "./asking.js";
import { attempt, isBusy, miss, UNKNOWN } from "./attempt.js";
import { backToDesk, makePasskey } from "./desk.js";
import * as passkey from "./passkey.js";
import { lookUp, sign } from "./recording.js";
import { at, mayLose, say } from "./screen.js";
import { session } from "./session.js";
import { look } from "./unblinding.js";

function pasted(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This can't be read as JSON: ${error.message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("Expected a JSON object with the members of a statement.");
  return value;
}

const unfinished = () => Boolean(session.entry?.unfinished || at("action").value.trim());

async function leave() {
  if (!session.sent) {
    const { unsure } = session;
    await session.questions.abandon();
    await backToDesk();
    if (unsure) say(`${UNKNOWN}: look for it in the study.`, true);
  } else if (!(await lookUp())) {
    await backToDesk();
    say("What you signed is not in the log: nothing was recorded.");
  }
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
    const { open, ...action } = await session.entry.read();
    const { entry } = session;
    await ask(action, open, () => entry === session.entry && entry.clear());
  });
});
at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { open = {}, ...action } = pasted(at("action").value);
    await ask(action, open, () => (at("action").value = ""));
  });
});
at("sign").onclick = () => attempt(sign);
at("custodypart").addEventListener("submit", (event) => event.preventDefault());
for (const id of ["signer", "secret"]) at(id).addEventListener("keydown", (event) => event.key === "Enter" && at("sign").click());
at("logout").addEventListener("click", () => attempt(async () => {
  if (session.sent || !unfinished() || mayLose()) await logOut();
}));
at("emergency").addEventListener("click", () => attempt(() => session.entry.unblind()));
at("look").addEventListener("click", () => attempt(look));
at("make").addEventListener("click", () => attempt(makePasskey));
at("leave").addEventListener("click", () => attempt(leave));
at("back").addEventListener("click", () => attempt(backToDesk));

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
    if (isBusy()) miss();
    attempt(async () => {
      const first = session.sent; // what became of it is told before anything else is shown
      if (action && !first) session.held = null;
      if (action && first) miss();
      await enter(study.address, token);
      if (action && !first) await ask(action, open);
    });
  });
  window.opener.postMessage("ready", study.workspace);
}

// What is not recorded yet, and what may be, is not left by a slip.
window.addEventListener("beforeunload", (event) => {
  if (session.held || session.sent || session.unsure || unfinished()) event.preventDefault();
});
