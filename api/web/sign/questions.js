// The questions of edit checks on the screen: each is a row with its own answers; a record is signed when none is open.

import { attempt } from "./attempt.js";
import { at } from "./screen.js";
import { session } from "./session.js";

// `again` has the record prepared and shown once more, after an answer.
export function showQuestions(again) {
  const { questions } = session;
  at("promptpart").hidden = !questions.open.length;
  at("prompts").replaceChildren(...questions.open.map((prompt) => question(questions, prompt, again)));
}

function question(questions, prompt, again) {
  const row = document.createElement("li");
  row.className = "question";
  const told = row.appendChild(document.createElement("p"));
  told.textContent = `${prompt.prompt} You entered ${prompt.entered}.`;
  const confirm = row.appendChild(document.createElement("button"));
  confirm.type = "button";
  confirm.textContent = "It is right";
  confirm.addEventListener("click", () => attempt(async () => {
    await questions.confirm(prompt);
    await again();
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
    await again();
  }));
  return row;
}
