// Do something that may fail, say why it did, and leave the buttons as they were. One thing at a time: what is
// shown while a passkey asks is what is signed.

import * as passkey from "./passkey.js";
import { at, say, show } from "./screen.js";
import { session } from "./session.js";

export const UNKNOWN = "Whether it was recorded is not known here";
let busy = false;
let missed = false; // a workspace sent something while somebody signed

export const isBusy = () => busy;

export function miss() {
  missed = true;
}

export async function attempt(work) {
  if (busy) return;
  busy = true;
  say("");
  const [buttons, pressed] = [[...document.querySelectorAll("button")], document.activeElement];
  let wrong = null;
  buttons.forEach((button) => (button.disabled = true));
  try {
    await work();
  } catch (error) {
    const out = ended(error);
    say(told(error), true);
    if (out) show("enter");
    if (error.code === "ROLE_NEEDED") at("rolepart").hidden = false;
    wrong = error.control;
  } finally {
    busy = false;
    if (missed) say(`${at("said").textContent} Your workspace sent another record meanwhile. It isn't shown: send it again.`.trim(), at("said").className === "bad");
    missed = false;
    buttons.forEach((button) => (button.disabled = false));
    if (wrong) lead(wrong);
    else if (document.activeElement === document.body) pressed.focus();
  }
}

// To the field that is not as expected: it is marked until something else is entered.
function lead(control) {
  for (let each = control.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
  control.setAttribute("aria-invalid", "true");
  control.addEventListener("input", () => control.removeAttribute("aria-invalid"), { once: true });
  control.focus();
}

// The token is not taken any more, wherever it is needed but where it is entered.
export const ended = (error) => ["SESSION_EXPIRED", "UNAUTHENTICATED"].includes(error.code) && at("enter").hidden;

function told(error) {
  if (error instanceof passkey.Unused) return error.message;
  if (!ended(error)) return error.message;
  if (session.sent) return `You are not let in any more. ${UNKNOWN}: enter again, and this page finds out; it is recorded once.`;
  return `You are not let in any more.${at("done").hidden ? " Nothing was recorded." : ""} Enter again, and you go on here.`;
}
