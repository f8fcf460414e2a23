// The page around the judge. Everything that comes out of a bundle is shown as text, never as markup.

const PAGE_ROWS = 50;
const MAX_ROWS = 500;
const at = (id) => document.getElementById(id);

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  if (text !== "") made.textContent = text;
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

const state = { open: null, report: null, rows: [], first: 0, byIndex: new Map(), isBusy: false };

function choose(open, what) {
  state.open = open;
  at("chosen").textContent = what;
  ready();
}

function ready() {
  const needsId = at("kind").value !== "study";
  at("scope-id").disabled = !needsId;
  const isStated = at("policy").value.trim() !== "" && (!needsId || at("scope-id").value !== "");
  at("verify").disabled = state.isBusy || state.open === null || !isStated;
}

function chooseZip(file) {
  if (file !== undefined) choose(() => openZip(file), `${file.name}, ${file.size.toLocaleString("en")} bytes`);
}

function chooseFolder(files) {
  const entries = [...files].map((file) => [file.webkitRelativePath.split("/").slice(1).join("/"), file]);
  const name = files[0]?.webkitRelativePath.split("/")[0] ?? "an empty folder";
  choose(() => openDirectory(entries), `folder ${name}, ${entries.length} files`);
}

/* Files below a dropped folder, as pairs of path and File. */
async function filesBelow(directory, prefix = "") {
  const reader = directory.createReader();
  const found = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return found;
    for (const entry of part) {
      const name = `${prefix}${entry.name}`;
      if (entry.isDirectory) found.push(...(await filesBelow(entry, `${name}/`)));
      else found.push([name, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
    }
  }
}

async function drop(event) {
  event.preventDefault();
  at("drop").classList.remove("over");
  const item = event.dataTransfer.items[0];
  const entry = item?.webkitGetAsEntry?.();
  if (entry?.isDirectory) {
    const entries = await filesBelow(entry);
    choose(() => openDirectory(entries), `folder ${entry.name}, ${entries.length} files`);
  } else {
    chooseZip(event.dataTransfer.files[0]);
  }
}

async function verify() {
  const started = performance.now();
  const stated = {
    policy: at("policy").value,
    ledgerId: at("ledger-id").value.trim(),
    scope: { kind: at("kind").value, id: at("scope-id").value },
    role: at("role").value,
  };
  at("problem").textContent = "";
  for (const id of ["result", "events", "event"]) at(id).hidden = true;
  if (stated.ledgerId !== "" && !HASH.test(stated.ledgerId)) {
    at("problem").textContent = "The ledger id is 64 hex digits in lower case.";
    return;
  }
  busy(true);
  const report = await judgeOrRefuse(stated);
  busy(false);
  report.seconds = (performance.now() - started) / 1000;
  state.report = report;
  showReport(report);
}

async function judgeOrRefuse(stated) {
  try {
    return await judgeBundle(await state.open(), stated, progress);
  } catch (error) {
    const report = new Report(stated);
    report.add(refusal(error));
    return report;
  }
}

function busy(isBusy) {
  state.isBusy = isBusy;
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
  at("verdicts").replaceChildren(verdict("Integrity", "integrity"), verdict("Completeness", "completeness"), conduct());
  const { origin, size, root, ledgerId, shown, withheld, opened, sealed } = report.facts;
  const grades = [...report.grades].map(([grade, count]) => `${count.toLocaleString("en")} ${grade}`).join(", ");
  describe(at("facts"), [
    ["Origin", origin], ["Ledger id", ledgerId ?? "not given"], ["Events", size?.toLocaleString("en")], ["Root", root],
    ["Scope", `${scopeText(report.stated.scope)}, for the role ${report.stated.role}`],
    ["Shown, withheld", shown === undefined ? "" : `${shown.toLocaleString("en")}, ${withheld.toLocaleString("en")}`],
    ["Sealed, opened", shown === undefined ? "" : `${sealed.toLocaleString("en")}, ${opened.toLocaleString("en")}`],
    ["Statements by grade of key", grades], ["Time taken", `${report.seconds.toFixed(1)} s`],
  ]);
  showFindings(report.findings);
  const left = [...report.unchecked].map(([what, count]) => `${what}: ${count.toLocaleString("en")}`);
  at("unchecked").replaceChildren(...[...left, ...TABLES.unchecked].map((text) => element("li", text)));
  at("json").textContent = JSON.stringify(asJson(report), null, 1);
  at("result").hidden = false;
  at("events").hidden = report.entries.length === 0;
  search();
  at("result-title").focus();
}

function verdict(title, name) {
  const { report } = state;
  if (report.findings.some((each) => each.code === "POLICY")) {
    const box = element("div", "", "verdict open");
    box.append(element("strong", `${title}: not judged`), element("span", "The trust policy can't be used: see below."));
    return box;
  }
  const holds = report.holds(name);
  const without = report.unchecked.size > 0 && name === "integrity" ? "; see what was not checked" : "";
  const box = element("div", "", `verdict ${holds ? "good" : "bad"}`);
  box.append(element("strong", `${title}: ${holds ? "holds" : "does not hold"}`));
  box.append(element("span", holds ? `Nothing found against it by the checks of this page${without}.` : "See the findings below."));
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
    row.append(element("td", meaning === "" ? each.detail : `${meaning}: ${each.detail}`));
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
      integrity: report.holds("integrity"), completeness: report.holds("completeness"), conduct: "not judged here",
    },
    facts: report.facts, grades: Object.fromEntries(report.grades), findings: report.findings,
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
at("policy-file").addEventListener("change", async () => {
  at("policy").value = (await at("policy-file").files[0]?.text()) ?? at("policy").value;
  ready();
});
for (const id of ["policy", "kind", "scope-id"]) at(id).addEventListener("input", ready);
at("drop").addEventListener("dragover", (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
});
at("drop").addEventListener("dragleave", () => at("drop").classList.remove("over"));
at("drop").addEventListener("drop", drop);
at("verify").addEventListener("click", verify);
at("search").addEventListener("input", search);
at("before").addEventListener("click", () => turn(-PAGE_ROWS));
at("after").addEventListener("click", () => turn(PAGE_ROWS));
// A file that misses the drop zone must not replace the page.
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
