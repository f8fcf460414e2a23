// A name that the study or the record has already is chosen by what it stands for; another one can be entered all the
// same, for what happened is recorded whatever it was called.
//
//   chooser(input, "Visit", [{ id: "w1d1", name: "Week 1, day 1" }], "choose")  ->  the drop-down
//
// The input keeps the value, for whoever reads it or sets it, and is shown for another one alone.

export const LONG = 40; // of what is longer a drop-down may not show the end
const OTHER = "\u0000"; // no id has it

const option = (value, textContent) => Object.assign(document.createElement("option"), { value, textContent });

function told({ id, name }) {
  if (!name || name === id) return id;
  return name.length > LONG ? `${id}: ${name}` : `${name} (${id})`;
}

// The control that a person sees of a part: what is wrong is said there.
export const seen = (control) => (control?.hidden && control.chooser ? control.chooser : control);

export function chooser(input, label, options, none) {
  const select = document.createElement("select");
  select.append(option("", none), ...options.map((each) => option(each.id, told(each))), option(OTHER, "another one"));
  input.setAttribute("aria-label", `${label}, another one`);
  input.chooser = select;
  const ids = new Set(options.map((each) => each.id));
  const follow = () => {
    const value = input.value.trim();
    select.value = value === "" || ids.has(value) ? value : OTHER;
    input.hidden = select.value !== OTHER;
  };
  select.addEventListener("change", () => {
    input.hidden = select.value !== OTHER;
    input.value = input.hidden ? select.value : "";
    for (const name of ["input", "change"]) input.dispatchEvent(new Event(name));
  });
  input.put = (value) => {
    input.value = value;
    follow();
  };
  follow();
  return select;
}
