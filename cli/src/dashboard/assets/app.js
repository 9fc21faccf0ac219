// Which view is shown, and the stream that feeds it. A page that is not seen has no stream: a browser opens only six
// connections to one host.

import { announce, h, setClock, show } from "./dom.js";
import { listView } from "./list.js";
import { pictureView } from "./picture.js";

// The token was exchanged for a cookie; it does not belong in the address any more.
if (location.search) history.replaceState(null, "", `/${location.hash}`);

const by = (id) => document.getElementById(id);
let view;
let stream;
let about = { namespace: null, edits: false };

function link(state, words) {
  by("link").className = `link ${state}`;
  by("link").textContent = words;
}

function troubles(all) {
  const denied = all.filter((trouble) => trouble.denied);
  const lost = all.find((trouble) => !trouble.denied);
  show(by("troubles"), denied.map((trouble) => h("p", { class: "notice bad" }, trouble.why)));
  if (lost) link("bad", `${lost.why}; retrying`);
  else link("good", "live");
}

function connect() {
  stream?.close();
  if (document.hidden) return link("", "paused");
  stream = new EventSource(view.source);
  const current = stream;
  stream.onmessage = (event) => {
    const message = JSON.parse(event.data);
    setClock(message.now);
    troubles(message.troubles);
    view.take(message);
  };
  stream.onerror = () => {
    if (current !== stream) return;
    if (stream.readyState !== EventSource.CLOSED) return link("bad", "no connection to the dashboard; retrying");
    link("bad", "the dashboard has ended: start it again, and open the new address");
  };
}

// An address that somebody has typed may be no encoding of anything.
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function route() {
  const [, namespace, name] = location.hash.replace(/^#/, "").split("/").map(decoded);
  view = namespace && name ? pictureView(namespace, name, about) : listView(about);
  document.title = view.title;
  show(by("view"), view.element);
  link("", "connecting");
  connect();
}

by("skip").addEventListener("click", (event) => {
  event.preventDefault();
  by("main").focus();
});
window.addEventListener("hashchange", () => {
  route();
  by("main").focus({ preventScroll: true });
  scrollTo(0, 0);
  announce(view.title);
});
document.addEventListener("visibilitychange", connect);

const answer = await fetch("/api/dashboard");
if (answer.ok) about = await answer.json();
by("scope").textContent = about.namespace ? `namespace ${about.namespace}` : "all namespaces";
by("mode").textContent = about.edits ? "can edit" : "read-only";
by("mode").title = about.edits ? "Edits are made with your own rights" : "Start it with --allow-edits to edit apps";
route();
