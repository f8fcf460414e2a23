// The study's interface over HTTP, with the token of the person who signs.

const ANSWER_MS = 90_000; // after as long no answer is waited for

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.field ? `${problem.title} (${problem.code}, ${problem.field})` : `${problem.title} (${problem.code})`);
    this.code = problem.code;
    this.field = problem.field;
    this.status = status;
  }
}

// Nothing was answered: what was sent may have arrived, or not.
export class Unreached extends Error {}

export class Service {
  #token;
  #role;

  // `role` is named by who holds several.
  constructor(study, token, role = "") {
    this.study = study.replace(/\/+$/, "");
    this.#token = token;
    this.#role = role;
  }

  // Go on with the token of another one of the same person.
  renew(other) {
    [this.#token, this.#role] = [other.#token, other.#role];
  }

  get = (path) => this.#send("GET", path);

  post = (path, body) => this.#send("POST", path, body);

  delete = (path) => this.#send("DELETE", path);

  // Have the bytes of a file kept under their hash; the same bytes again are kept once.
  attach = ({ media_type: type, sha256 }, bytes) => this.#ask("PUT", `/attachments/${sha256}`, bytes, type);

  #send(method, path, body) {
    return this.#ask(method, path, body === undefined ? undefined : JSON.stringify(body), "application/json");
  }

  async #ask(method, path, body, type) {
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    if (this.#role) headers["Ledger-Role"] = this.#role;
    if (body !== undefined) headers["Content-Type"] = type;
    let answer;
    try {
      answer = await fetch(this.study + path, {
        method,
        headers,
        body,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
        signal: AbortSignal.timeout(ANSWER_MS),
      });
    } catch {
      throw new Unreached("The service can't be reached from here. Try again.");
    }
    if (answer.status === 204) return null;
    let value;
    try {
      value = await answer.json();
    } catch {
      throw new Unreached(`What answered is not the ledger (${answer.status}). Try again.`);
    }
    if (typeof value !== "object" || value === null || (!answer.ok && typeof value.code !== "string")) throw new Unreached(`What answered is not the ledger (${answer.status}). Try again.`);
    if (!answer.ok) throw new Refused(value, answer.status);
    return value;
  }
}
