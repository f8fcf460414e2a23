// Log in with a session that the browser keeps (a cookie that scripts don't read), say who is, log out.

const at = (id) => document.getElementById(id);
const base = at("enter").dataset.base;

async function send(method, path, body) {
  const headers = { "Ledger-Request": "page" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(base + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "same-origin",
    cache: "no-store",
  });
  return { ok: answer.ok, value: answer.status === 204 ? null : await answer.json() };
}

function say(words) {
  at("said").textContent = words;
  at("said").hidden = !words;
}

// The signing pages are told in their fragment, which no server sees, which study it is.
const signing = at("signing");
if (signing) signing.href += `#${encodeURIComponent(location.origin + base)}`;

function show(session) {
  at("enter").hidden = session !== null;
  at("entered").hidden = session === null;
  document.querySelector("header nav a").textContent = session === null ? "Log in" : "Start";
  if (session === null) return;
  const role = session.role ? `, as ${session.role.replaceAll("_", " ")}` : "";
  at("whois").textContent = `${session.name || session.person}${role}`;
  const ends = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeStyle: "long" }).format(new Date(session.ends));
  at("until").textContent = `This session ends at ${ends}, or after ${Math.round(session.idle_s / 60)} minutes without use.`;
}

async function enter() {
  const asked = { person: at("person").value, password: at("password").value };
  if (at("role").value) asked.role = at("role").value;
  if (at("secret").value) asked.secret = at("secret").value.trim();
  const { ok, value } = await send("POST", asked.secret ? "/passwords:redeem" : "/sessions", asked);
  at("password").value = "";
  if (!ok) {
    at("rolepart").hidden = !(value.code.startsWith("ROLE_") || at("role").value);
    say(`${value.title.charAt(0).toUpperCase()}${value.title.slice(1)}.`);
    return;
  }
  say("");
  at("secret").value = "";
  at("invited").open = false;
  if (!session_role(value)) return;
  show(value);
}

// Who holds several roles reads in one of them, and says which when logging in.
function session_role(session) {
  if (session.role || session.roles.length < 2) return true;
  at("rolepart").hidden = false;
  say(`Log in with one of your roles: ${session.roles.map((each) => each.role).join(", ")}.`);
  return false;
}

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  enter();
});
at("leave").addEventListener("click", async () => {
  await send("DELETE", "/sessions/current");
  show(null);
});

const { ok, value } = await send("GET", "/sessions/current");
show(ok ? value : null);
