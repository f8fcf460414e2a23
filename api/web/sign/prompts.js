// Edit checks: questions about what was entered, each answered before the record is signed.

import { canonical } from "./encoding.js";

const keyOf = (prompt) => `${prompt.check} ${prompt.path} ${canonical(prompt.entered)}`;

// Put another value where a path leads: into the data, or into a value that is to be sealed.
export function put(asked, opened, path, value) {
  const sealed = Object.keys(opened).find((each) => path === each || path.startsWith(`${each}/`));
  if (sealed === path) return [asked, { ...opened, [path]: value }];
  const copies = [structuredClone(asked), structuredClone(opened)];
  const steps = path.split("/").slice(2);
  let place = sealed ? copies[1][sealed] : copies[0].data;
  for (const step of sealed ? steps.slice(sealed.split("/").length - 2, -1) : steps.slice(0, -1)) place = place[step];
  place[steps.at(-1)] = value;
  return copies;
}

// The questions of one record: which are open, and what is told of each answer before anything is signed.
export class Questions {
  #answered = new Set();
  #service;

  constructor(service) {
    this.#service = service;
    this.open = [];
  }

  // Keep the questions that were not answered for these very values.
  take(asked, opened, prompts) {
    this.asked = asked;
    this.opened = opened;
    this.open = prompts.filter((each) => !this.#answered.has(keyOf(each)));
  }

  async #tell(prompt, answer, more = {}) {
    const { check, path } = prompt;
    await this.#service.post("/edit-checks", { action: this.asked, open: this.opened, check, path, answer, ...more });
  }

  async confirm(prompt) {
    await this.#tell(prompt, "confirmed");
    this.#answered.add(keyOf(prompt));
  }

  // What was entered is kept with the question; the value that is put in its place may be asked about again.
  async change(prompt, written) {
    const kept = typeof prompt.entered === "number" ? Number(written) : written;
    if (Number.isNaN(kept) || written === "") throw new Error("Enter the value that is right.");
    await this.#tell(prompt, "changed", { kept });
    [this.asked, this.opened] = put(this.asked, this.opened, prompt.path, kept);
  }

  async abandon() {
    for (const prompt of this.open) await this.#tell(prompt, "abandoned");
    this.open = [];
  }
}
