// The page around the judge. Everything that comes out of a bundle is shown as text, never as markup.

const PAGE_ROWS = 50;
const MAX_ROWS = 500;
const MAX_POLICY = 1_000_000;
const at = (id) => document.getElementById(id);

/* Text with what can't be seen, or turns the order of other text, as escapes that JSON reads the same. */
const HIDDEN = new RegExp(FORBIDDEN.source, "gu");
const escaped = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
const visible = (text) => text.replace(HIDDEN, (found) => found.split("").map(escaped).join(""));

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = visible(text);
  if (className !== "") made.className = className;
  return made;
}

function describe(list, pairs) {
  list.replaceChildren();
  for (const [term, value] of pairs) {
    if (value === "" || value === undefined || value === null) continue;
    list.append(element("dt", term), element("dd", String(value)));
  }
  return list;
}

const state = {
  open: null, name: "", previous: null, report: null, rows: [], first: 0, byIndex: new Map(), isBusy: false, choice: 0, shown: null,
};

function complain(text) {
  at("problem").textContent = visible(text);
  if (text !== "") at("problem").scrollIntoView({ block: "nearest" });
}

/* What is stated changes: what was found before is not of it. */
function forget() {
  for (const id of ["result", "events", "event"]) at(id).hidden = true;
  state.report = null;
  complain("");
  ready();
}

function choose(open, what) {
  Object.assign(state, { open, name: what, choice: state.choice + 1 });
  at("chosen").textContent = visible(what);
  forget();
}

function ready() {
  const needsId = at("kind").value !== "study";
  at("scope-id").disabled = !needsId;
  const needed = [
    [state.open === null, "an export"], [at("policy").value.trim() === "", "your trust policy"],
    [needsId && at("scope-id").value.trim() === "", "the id of the site or participant"],
  ].filter(([isMissing]) => isMissing).map(([, what]) => what);
  at("verify").disabled = state.isBusy || needed.length > 0;
  if (!state.isBusy) at("phase").textContent = needed.length > 0 ? `Still needed: ${needed.join(", ")}.` : "";
}

const bytesText = (size) => `${size.toLocaleString("en")} bytes`;

function chooseZip(file) {
  if (file !== undefined) choose(() => openZip(file), `${file.name}, ${bytesText(file.size)}`);
}

function chooseFiles(name, entries) {
  const count = entries.length === 1 ? "1 file" : `${entries.length.toLocaleString("en")} files`;
  choose(() => openDirectory(entries), `folder ${name}, ${count}`);
}

function chooseFolder(files) {
  if (files.length === 0) {
    complain("The folder is empty, or none was chosen.");
    return;
  }
  const entries = [...files].map((file) => [file.webkitRelativePath.split("/").slice(1).join("/"), file]);
  chooseFiles(files[0].webkitRelativePath.split("/")[0], entries);
}

/* Files below a dropped folder, as pairs of path and File. */
async function filesBelow(directory, prefix = "") {
  const found = [];
  for await (const [name, entry] of directory.entries()) {
    if (entry.kind === "directory") found.push(...(await filesBelow(entry, `${prefix}${name}/`)));
    else found.push([`${prefix}${name}`, await entry.getFile()]);
    if (found.length > MAX_FILES) throw new Refusal("BUNDLE_FORM", `a bundle has at most ${MAX_FILES} files`);
  }
  return found;
}

/* The same for browsers that have no handles of files. */
async function filesOf(directory, prefix = "") {
  const reader = directory.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return found;
    for (const entry of part) {
      const name = `${prefix}${entry.name}`;
      if (entry.isDirectory) found.push(...(await filesOf(entry, `${name}/`)));
      else found.push([name, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
    }
  }
}

async function drop(event) {
  event.preventDefault();
  at("drop").classList.remove("over");
  if (state.isBusy) {
    complain("An export is being checked. Drop another one when its result is there.");
    return;
  }
  const items = [...event.dataTransfer.items].filter((item) => item.kind === "file");
  if (event.target === at("policy") && items.length === 1) {
    readPolicy(items[0].getAsFile() ?? undefined);
    return;
  }
  if (items.length !== 1) {
    const count = items.length === 0 ? "nothing that can be read" : `${items.length} things`;
    complain(`Drop one zip, or the one folder of an export and not what is in it: this was ${count}.`);
    return;
  }
  // What was dropped can be asked for only while this event lasts.
  const [entry, handle, file] = [items[0].webkitGetAsEntry?.(), items[0].getAsFileSystemHandle?.(), items[0].getAsFile()];
  if (!entry?.isDirectory) {
    handle?.catch(() => {});
    chooseZip(file ?? undefined);
    return;
  }
  state.choice += 1;
  await chooseDropped(entry, handle, state.choice);
}

/* A page from the disk may read the handle of a dropped folder in Chromium, and its entry elsewhere. */
async function chooseDropped(entry, handle, choice) {
  state.open = null;
  at("chosen").textContent = visible(`Listing the folder ${entry.name} …`);
  forget();
  let entries = null;
  try {
    entries = handle === undefined ? await filesOf(entry) : await filesBelow(await handle);
  } catch {
    entries = null;
  }
  if (choice !== state.choice) return; // another one was chosen since
  if (entries === null) {
    at("chosen").textContent = "Nothing chosen yet.";
    complain("This browser can't read a dropped folder here. Choose it with the button Folder, or drop a zip.");
  } else {
    chooseFiles(entry.name, entries);
  }
}

async function readPolicy(file) {
  if (file === undefined) return;
  try {
    if (file.size > MAX_POLICY) throw new Error("too long");
    at("policy").value = await file.text();
    forget();
  } catch {
    complain(`${file.name} can't be read as a policy.`);
  }
}

async function readPrevious(file) {
  state.previous = null;
  at("previous-name").textContent = "";
  forget();
  if (file === undefined) return;
  try {
    if (file.size > MAX_NOTE) throw new Error("too long");
    state.previous = new Uint8Array(await file.arrayBuffer());
    at("previous-name").textContent = visible(`Earlier checkpoint: ${file.name}`);
  } catch {
    complain(`${file.name} can't be read as a checkpoint.`);
  }
}

/* What contradicts itself in what the auditor states, as `trial-ledger verify` refuses it; "" where nothing does. */
function contradiction({ policy, ledgerId, scope }) {
  if (ledgerId !== "" && !HASH.test(ledgerId)) return "The ledger id is 64 hex digits in lower case.";
  const named = /^# ledger-id ([0-9a-f]{64})\s*$/m.exec(policy.split("\n")[0]);
  if (ledgerId !== "" && named !== null && named[1] !== ledgerId) return "The policy names another ledger than this ledger id.";
  if (scope.kind !== "study" && !SITE.test(scope.id)) return "Expected the id of a site or participant, as the study writes it.";
  return "";
}

async function verify() {
  const started = performance.now();
  const kind = at("kind").value;
  const stated = {
    policy: at("policy").value,
    ledgerId: at("ledger-id").value.trim(),
    scope: kind === "study" ? { kind } : { kind, id: at("scope-id").value.trim() },
    role: at("role").value,
    previous: state.previous,
  };
  forget();
  complain(contradiction(stated));
  if (at("problem").textContent !== "") return;
  busy(true);
  const report = await judgeOrRefuse(stated);
  busy(false);
  complain("");
  Object.assign(report, {
    seconds: (performance.now() - started) / 1000, name: state.name, checkedAt: new Date().toISOString(),
  });
  state.report = report;
  showReport(report);
}

async function judgeOrRefuse(stated) {
  try {
    if (globalThis.crypto?.subtle === undefined) {
      throw new Refusal("UNJUDGED", "this browser has no WebCrypto here: open the page from the disk, in a newer one");
    }
    return await judgeBundle(await state.open(), stated, progress);
  } catch (error) {
    const report = new Report(stated);
    report.add(refusal(error));
    return report;
  }
}

function busy(isBusy) {
  state.isBusy = isBusy;
  at("given").disabled = isBusy;
  at("progress").hidden = !isBusy;
  at("phase").textContent = "";
  ready();
}

async function progress(phase, done, total) {
  at("phase").textContent = `${phase}: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}`;
  at("progress").max = total;
  at("progress").value = done;
  await breathe();
}

function showReport(report) {
  state.byIndex = new Map();
  for (const each of report.findings) {
    if (each.index === null) continue;
    if (!state.byIndex.has(each.index)) state.byIndex.set(each.index, []);
    state.byIndex.get(each.index).push(each);
  }
  const [what, sentence] = summary(report);
  at("summary").className = `summary ${what}`;
  at("summary").textContent = sentence;
  at("verdicts").replaceChildren(verdict("Integrity", "integrity"), verdict("Completeness", "completeness"), conduct());
  const { origin, size, root, ledgerId, shown, withheld, opened, sealed, erased } = report.facts;
  const grades = [...report.grades].map(([grade, count]) => `${count.toLocaleString("en")} ${grade}`).join(", ");
  const counted = shown !== undefined;
  describe(at("facts"), [
    ["Export", report.name], ["Checked", `${plainTime(report.checkedAt)}, by this computer's clock`],
    ["Origin", origin], ["Ledger id", ledgerId === null ? "not given" : ledgerId], ["Events", size?.toLocaleString("en")], ["Root", root],
    ["Scope", `${scopeText(report.stated.scope)}, for the role ${report.stated.role}`],
    ["Earlier checkpoint", report.facts.previous],
    ["Shown, withheld", counted ? `${shown.toLocaleString("en")}, ${withheld.toLocaleString("en")}` : ""],
    ["Sealed, opened", counted ? `${sealed.toLocaleString("en")}, ${opened.toLocaleString("en")}` : ""],
    ["Erased on approval", erased > 0 ? erased.toLocaleString("en") : ""],
    ["Statements by grade of key", grades], ["Time taken", `${report.seconds.toFixed(1)} s`],
  ]);
  showFindings(report.findings);
  const left = [...report.unchecked].map(([what, count]) => `${what}: ${count.toLocaleString("en")}`);
  const isFolder = report.bundle?.isFolder ? ["Links in the folder, of which a browser tells nothing."] : [];
  at("unchecked").replaceChildren(...[...left, ...TABLES.unchecked, ...isFolder].map((text) => element("li", text)));
  at("json").textContent = visible(JSON.stringify(asJson(report), null, 1));
  at("result").hidden = false;
  at("events").hidden = report.entries.length === 0;
  search();
  at("result-title").focus();
}

/* The end of it, as `trial-ledger verify` says it; this page never says "verified". */
function summary(report) {
  switch (report.outcome) {
    case "fails":
      return ["bad", "NOT VERIFIED: see the findings."];
    case "unusable":
      return ["open", "UNUSABLE: this input can't be judged. See the findings."];
    case "unpinned":
      return ["open", "UNPINNED: no fault found, but for a ledger that nobody named. Give its ledger id."];
    default:
      return report.unchecked.size === 0
        ? ["good", "NO FAULT FOUND by this page. It is not verified by that: trial-ledger verify judges more."]
        : ["open", "NO FAULT FOUND in what this browser can check. What it can't is listed below, first of all."];
  }
}

const VERDICTS = {
  "no fault found": ["good", "Nothing found against it by the checks of this page. What it does not check is listed below."],
  fails: ["bad", "See the findings below."],
  "not judged": ["open", "An earlier step forbade to read on: see the findings below."],
};

function verdict(title, name) {
  const said = state.report.verdict(name);
  const isPart = said === "no fault found" && name === "integrity" && state.report.unchecked.size > 0;
  const [className, why] = isPart ? ["open", "Nothing found against it in what this browser can check."] : VERDICTS[said];
  const box = element("div", "", `verdict ${className}`);
  box.append(element("strong", `${title}: ${said}`), element("span", why));
  return box;
}

function conduct() {
  const box = element("div", "", "verdict open");
  box.append(element("strong", "Conduct: not judged here"));
  box.append(element("span", "The rules of the catalogue are judged by trial-ledger verify."));
  return box;
}

function showFindings(findings) {
  const rows = findings.slice(0, MAX_ROWS).map((each) => {
    const row = element("tr", "", each.verdict === "note" ? "" : "bad");
    const event = element("td");
    if (each.index !== null) event.append(eventButton(each.index));
    const meaning = TABLES.findings[each.code]?.[1] ?? "";
    row.append(element("td", each.code, "mono"), element("td", each.verdict), event, element("td", each.file ?? "", "mono"));
    const isSaid = meaning.startsWith(each.detail);
    row.append(element("td", meaning === "" ? each.detail : isSaid ? meaning : `${meaning}: ${each.detail}`));
    return row;
  });
  at("findings").tBodies[0].replaceChildren(...rows);
  at("findings").hidden = rows.length === 0;
  at("no-findings").hidden = rows.length > 0;
  const more = findings.length - rows.length;
  at("more-findings").textContent = more > 0 ? `${more.toLocaleString("en")} more are in the result as JSON.` : "";
}

function asJson(report) {
  return {
    verdicts: {
      integrity: report.verdict("integrity"), completeness: report.verdict("completeness"), conduct: "not judged here",
    },
    outcome: report.outcome, export: report.name, checked_at: report.checkedAt,
    scope: scopeText(report.stated.scope), role: report.stated.role, facts: report.facts, grades: Object.fromEntries(report.grades), findings: report.findings,
    not_checked: Object.fromEntries(report.unchecked), seconds: report.seconds,
  };
}

at("role").append(...Object.keys(TABLES.sights).map((role) => {
  const option = element("option", role);
  option.selected = role === "auditor";
  return option;
}));
at("zip").addEventListener("change", () => chooseZip(at("zip").files[0]));
at("folder").addEventListener("change", () => chooseFolder(at("folder").files));
at("policy-file").addEventListener("change", () => readPolicy(at("policy-file").files[0]));
at("previous").addEventListener("change", () => readPrevious(at("previous").files[0]));
// What is chosen a second time, because it was changed since, has to be read again.
for (const id of ["zip", "folder", "policy-file", "previous"]) {
  at(id).addEventListener("click", () => {
    at(id).value = "";
  });
}
for (const id of ["policy", "ledger-id", "kind", "scope-id", "role"]) at(id).addEventListener("input", forget);
// Wherever it falls: a file that misses the drop zone must not replace the page.
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) at("drop").classList.remove("over");
});
document.addEventListener("drop", drop);
at("verify").addEventListener("click", verify);
at("search").addEventListener("input", search);
at("before").addEventListener("click", () => turn(-PAGE_ROWS));
at("after").addEventListener("click", () => turn(PAGE_ROWS));
at("back").addEventListener("click", () => {
  at("events-title").focus();
  at("events-title").scrollIntoView();
});
ready();
