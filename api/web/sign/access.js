// Who enters, and leaves: with the id and password of an account, or with a token.

import { askAgain } from "./asking.js";
import { ended, UNKNOWN } from "./attempt.js";
import { list, openForm } from "./desk.js";
import { Questions } from "./prompts.js";
import { handIn } from "./recording.js";
import { at, say, show } from "./screen.js";
import { Service, Unreached } from "./service.js";
import { forget, session } from "./session.js";
import { hideLook } from "./unblinding.js";

export async function enter(study, token) {
  const service = new Service(study, token, at("role").value.trim());
  const desk = await service.get("/signing");
  if (!desk.origins.includes(location.origin)) throw new Error("This study signs at another address than this one.");
  session.catalogue ??= await service.get("/catalogue");
  const samePerson = session.desk?.person === desk.person && session.service.study === service.study;
  if (samePerson) {
    session.service.renew(service);
  } else {
    forget();
    hideLook();
    session.service = service;
    session.questions = new Questions(service);
  }
  session.desk = desk;
  at("who").textContent = `${desk.name}, ${desk.organisation} · study ${desk.study}`;
  at("who").hidden = false;
  at("logout").hidden = !token.startsWith("session_");
  await openForm(samePerson);
  list();
  if (session.sent) {
    show("review");
    await handIn(session.sent);
    return;
  }
  show("desk");
  if (session.held) await askAgain();
}

// A session of one's own, as on the study's start page; its token stays in this window.
export async function logIn() {
  const [person, password, role] = ["person", "password", "role"].map((id) => at(id).value.trim());
  if (!person || !password) throw new Error("Enter your id and password, or an access token.");
  const asked = { person, password: at("password").value, bearer: true, ...(role ? { role } : {}) };
  return (await new Service(at("study").value, "").post("/sessions", asked)).token;
}

export async function logOut() {
  let said = "You are logged out.";
  try {
    await session.service.delete("/sessions/current");
  } catch (error) {
    if (error instanceof Unreached) said = "This window has forgotten you. The service can't be reached: there the session ends by itself.";
    else if (!ended(error)) throw error;
  }
  if (session.sent) said += ` You signed something and got no answer. ${UNKNOWN}: look for it in the study.`;
  forget();
  hideLook();
  [session.service, session.desk, session.entry] = [undefined, undefined, null];
  at("who").textContent = "";
  at("who").hidden = at("logout").hidden = true;
  show("enter");
  say(said);
}
