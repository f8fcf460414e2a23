// What is on the screen: one part at a time, what is said above it, and lists of names and values.

const PARTS = ["enter", "desk", "review", "done"];
const FILLED = ["sentence", "about", "members", "data", "sealed", "technical", "bytes", "scope", "prompts", "declare", "recorded", "treatment", "receipt", "fields", "waiting", "keys"];

export const at = (id) => document.getElementById(id);

export function show(part) {
  for (const name of PARTS) at(name).hidden = name !== part;
  at(part).querySelector("h2").focus(); // the button that led here is hidden, and with it where the keyboard was
  window.scrollTo(0, 0);
}

export function say(text, bad = false) {
  at("said").textContent = text;
  at("said").className = bad ? "bad" : "";
  at("said").hidden = !text;
}

export const mayLose = () => window.confirm("What you entered is not recorded yet, and is lost. Go on?");

// Nothing that one person wrote or was shown is left for the next.
export function empty() {
  at("ask").reset();
  at("form").reset();
  at("asjson").open = false;
  at("custodypart").reset();
  for (const name of FILLED) at(name).replaceChildren();
}

// A list of names with their values: [name, value, what stands beside it, whether it is code].
export function rows(list, pairs) {
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

export function item(title, aside, state, live) {
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

export function save(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
