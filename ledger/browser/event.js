// The list of events, and one event: what it says, who signed it, and its place in the tree.

function search() {
  const asked = at("search").value.trim().toLowerCase();
  const entries = state.report.entries;
  state.rows = asked === "" ? entries : entries.filter((each) => matches(each, asked));
  state.first = 0;
  showList();
}

function matches({ index, leaf, statement }, asked) {
  if (/^[0-9]+$/.test(asked) && String(index) === asked) return true;
  if (asked.length >= 6 && leaf?.statement.startsWith(asked)) return true;
  const texts = statement === null ? [] : [statement.type, statement.stream, statement.name, statement.role];
  return texts.some((text) => text.toLowerCase().includes(asked));
}

function turn(rows) {
  state.first = Math.max(0, Math.min(state.first + rows, state.rows.length - 1));
  showList();
}

function eventButton(index) {
  const button = element("button", String(index));
  button.type = "button";
  button.setAttribute("aria-label", `Event ${index}`);
  button.disabled = state.report.leaves === undefined;
  button.addEventListener("click", () => showEvent(index));
  return button;
}

const plainTime = (text) => text.replace("T", " ").replace(/(\.[0-9]+)?Z$/, " UTC");

function showList() {
  const shown = state.rows.slice(state.first, state.first + PAGE_ROWS);
  const rows = shown.map(({ index, leaf, statement }) => {
    const row = element("tr");
    const number = element("td");
    number.append(eventButton(index));
    const what = statement?.type ?? (leaf === null ? "can't be read" : `withheld (${leaf.class})`);
    row.append(number, element("td", leaf === null ? "" : plainTime(leaf.at)), element("td", what));
    row.append(element("td", statement?.stream ?? ""), element("td", statement?.name ?? ""));
    row.append(element("td", statement === null ? "" : `${statement.role}, ${statement.meaning}`));
    const codes = (state.byIndex.get(index) ?? []).map((each) => each.code).join(" ");
    row.append(element("td", codes, "mono"));
    return row;
  });
  at("list").tBodies[0].replaceChildren(...rows);
  const count = state.rows.length;
  at("found").textContent = `${count.toLocaleString("en")} of ${state.report.entries.length.toLocaleString("en")} events`;
  at("page").textContent = count === 0 ? "" : `${state.first + 1} to ${state.first + shown.length}`;
  at("before").disabled = state.first === 0;
  at("after").disabled = state.first + PAGE_ROWS >= count;
}

/* Statement bytes of one event, as they stand in the bundle; null where they are withheld. */
async function payloadOf({ bundle, tree }, index) {
  const start = index - (index % WIDTH);
  const width = Math.min(WIDTH, tree.size - start);
  const lines = splitLines(await bundle.read(payloadsPath(start / WIDTH, width), PAYLOADS), { isWhole: false });
  const line = lines[index - start];
  return line === undefined || line.length === 0 ? null : line;
}

async function showEvent(index) {
  const { report } = state;
  const body = at("event-body");
  state.shown = index;
  at("event-title").textContent = `Event ${index}`;
  body.replaceChildren();
  at("event").hidden = false;
  try {
    const { leaf, statement: isJudged } = report.entries[index];
    if (leaf === null) throw new Refusal("LEAF", "its leaf can't be read");
    const payload = await payloadOf(report, index);
    const statement = payload === null || isJudged === null ? null : JSON.parse(decodeUtf8(payload, "STATEMENT"));
    const parts = [
      ...said(statement, leaf, payload !== null, isSpokenAgainst(index)), ...(await signed(report, index, leaf)),
      ...(statement === null ? [] : [...stated(statement), ...(await opened(report, index, statement))]),
      ...exact("Statement, as signed", statement), ...exact("Leaf, as committed", leaf),
    ];
    if (state.report !== report || state.shown !== index) return; // another one was asked for since
    body.replaceChildren(...parts);
  } catch (error) {
    body.append(...findingsOf(index), element("p", `This event can't be shown: ${refusal(error).message}.`));
  }
  at("event-title").focus();
}

const isSpokenAgainst = (index) => (state.byIndex.get(index) ?? []).some((each) => each.verdict !== "note");

function said(statement, leaf, isThere, isAgainst) {
  const list = element("dl");
  if (statement === null) {
    const why = isThere
      ? "What stands here is not the statement that the leaf commits to, or has not its form: it is not shown."
      : "The statement is withheld from this export. Its place, time, site and signers are not.";
    return [element("p", why, "said"), describe(list, [["Recorded", plainTime(leaf.at)], ["Site", leaf.site], ["Class", leaf.class]])];
  }
  const { actor } = statement;
  const meaning = TABLES.types[`${statement.type} ${statement.schema}`] ?? "";
  const by = element("p", "", "said");
  // A name of another direction of writing turns nothing around it.
  by.append(
    element("bdi", actor.name), " (", element("bdi", actor.role), ", ", element("bdi", actor.organisation), ") ",
    isAgainst ? "is said to have signed " : "signed ", element("bdi", statement.type),
    ` with the meaning: ${statement.meaning}.`, isAgainst ? " Findings stand against this event." : "",
  );
  describe(list, [
    ["What it is", meaning], ["Stream", `${statement.stream}, number ${statement.seq}`], ["Site", statement.site],
    ["Happened", statement.occurred_at], ["Signed (signer's clock)", plainTime(statement.signed_at)],
    ["Recorded (ledger's clock)", plainTime(leaf.at)], ["Protocol version", statement.protocol],
    ["From", statement.originator === undefined ? "" : `${statement.originator.kind} ${statement.originator.id}`],
    ["Reason", statement.reason?.code], ["Event hash", leaf.statement],
  ]);
  return [by, list];
}

/* What the statement says, value by value, by the path at which it stands. */
function stated(statement) {
  const rows = [];
  const walk = (path, value) => {
    if (value === null || typeof value !== "object") rows.push([path, value === null ? "(nothing)" : value]);
    else for (const [key, member] of Object.entries(value)) walk(`${path}/${key}`, member);
  };
  walk("", statement.data);
  return rows.length === 0 ? [] : [element("h3", "What it says"), describe(element("dl"), rows)];
}

function findingsOf(index) {
  const findings = state.byIndex.get(index) ?? [];
  const isAgainst = isSpokenAgainst(index);
  const status = isAgainst ? "Findings against this event:" : "No finding stands against this event.";
  const part = [element("p", status, isAgainst ? "bad" : "good")];
  if (findings.length > 0) {
    const list = element("ul");
    list.append(...findings.map((each) => element("li", `${each.code}: ${each.detail}`)));
    part.push(list);
  }
  return part;
}

async function signed(report, index, leaf) {
  const part = [element("h3", "Signatures and place"), ...findingsOf(index)];
  const { path, root } = await report.tree.inclusion(index, report.leaves[index]);
  const isThere = base64(root) === report.facts.root;
  part.push(describe(element("dl"), [
    ...leaf.sigs.map((sig, n) => [n === 0 ? "Signed by key" : "and by key", `${sig.key} (${sig.alg})`]),
    ["In the tree", isThere ? `yes: ${path.length} hashes lead from its leaf to the signed root` : "no: its leaf does not lead to the signed root"],
  ]));
  return part;
}

async function opened(report, index, statement) {
  const sealed = Object.keys(statement.sealed ?? {});
  if (sealed.length === 0) return [];
  const open = report.openings.get(index)?.open ?? {};
  const rows = [];
  for (const path of sealed) {
    const by = report.erased.get(statement.sealed[path]);
    let text = by === undefined ? "sealed: not opened in this export" : `erased on approval: event ${by} says so`;
    if (Object.hasOwn(open, path)) {
      try {
        const value = await openDisclosure(open[path], statement, path);
        const shown = typeof value === "string" ? value : value === null ? "(nothing, sealed so)" : JSON.stringify(value);
        text = by === undefined ? shown : `${shown} (${text}, and it is opened here)`;
      } catch {
        text = "an opening that is not what was signed";
      }
    }
    rows.push([path, text]);
  }
  return [element("h3", "Sealed values"), describe(element("dl"), rows)];
}

function exact(title, value) {
  if (value === null) return [];
  const details = element("details");
  const text = element("pre", JSON.stringify(value, null, 1));
  text.tabIndex = 0;
  details.append(element("summary", title), text);
  return [details];
}
