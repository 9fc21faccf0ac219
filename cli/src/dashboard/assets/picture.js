// One app as a picture.

import { announce, h, section, show } from "./dom.js";
import { openDialog } from "./dialog.js";
import { COLORS, card, checks, chip, drain, history, other, service, statePill } from "./parts.js";

const mark = (app, type) => app.conditions.find((it) => it.type === type);

const pick = (app, ...names) => Object.fromEntries(names.map((name) => [name, app[name]]));
const ageless = (it) => JSON.parse(JSON.stringify(it, (key, value) => (key === "age" ? undefined : value)));

/** As the list's: one word. */
function stateOf(app) {
  if (!app.observed) return "unobserved";
  if (mark(app, "Stalled")?.isTrue) return "stalled";
  return mark(app, "Ready")?.isTrue ? "ready" : "busy";
}

/** What is told first: what is missing, and what to do about it. */
function notices(app) {
  const told = [];
  const say = (kind, ...children) => told.push(h("div", { class: `notice ${kind}` }, children));
  const words = (condition) => [h("strong", {}, condition.reason), ": ", condition.message];
  if (!app.observed) say("busy", "The operator has not observed this spec yet (is it running?)");
  const [ready, stalled, doing, standby] = ["Ready", "Stalled", "Reconciling", "StandbyReady"].map((type) => mark(app, type));
  if (stalled?.isTrue) say("bad", h("p", {}, words(stalled)), app.waysOut.length > 0 && [h("p", {}, "The ways out:"), h("ul", {}, app.waysOut.map((way) => h("li", {}, way)))]);
  if (doing?.isTrue && doing.reason !== stalled?.reason) say("busy", words(doing));
  if (ready && ready.reason !== stalled?.reason && ready.reason !== doing?.reason) say(ready.isTrue ? "good" : "busy", words(ready));
  if (standby && standby.reason !== "Absent" && standby.reason !== stalled?.reason) say("plain", h("span", { class: "dim" }, "idle color: "), words(standby));
  if (app.managed) say("plain", `${app.managed} applies this app from Git. An edit here is taken back, unless the tool leaves the field alone.`);
  return told;
}

/** What can be done now, each under the name of its command. */
function actions(app) {
  const switching = app.live && app.live !== app.target && !app.rejected;
  const all = [];
  const to = app.live ? other(app.live) : app.target;
  if (switching) all.push(["rollback", `Cancel the switch to ${app.target}`, { kind: "rollback" }, true]);
  else if (app.live && app.rejected?.color !== to && app.colors.some((it) => it.color === to)) all.push(["switch", `Switch to ${to}`, { kind: "switch", to }, true]);
  if (app.rejected && app.target !== app.live && app.live) all.push(["stay", `Stay with ${app.live}`, { kind: "switch", to: app.live }, true]);
  if (!switching && app.before) all.push(["rollback", `Roll back to ${app.before}`, { kind: "rollback" }]);
  all.push(["deploy", "Deploy …", { kind: "deploy", to: null, tag: "" }]);
  all.push(app.paused ? ["resume", "Resume", { kind: "resume" }] : ["pause", "Pause", { kind: "pause" }]);
  return all;
}

/** The picture of an app. `take` gets the messages of its stream. */
export function pictureView(namespace, name, about) {
  const path = `/api/apps/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
  let app;
  let now;
  let told = "";
  const open = (label, action) => openDialog({ path, about, app, label, action });
  const head = section("div", { class: "head app" }, (data) => [
    h("div", {}, h("h1", {}, name), h("p", { class: "dim" }, `namespace ${namespace}`)),
    h("p", { class: "standing" }, statePill(data.state, data.phase ?? "New"), data.paused && statePill("busy", "paused"), " live: ", chip(data.live),
      data.live !== data.target && [" asked for: ", chip(data.target)]),
  ]);
  const buttons = section("div", { class: "buttons", role: "group", "aria-label": "Actions" }, (data) =>
    data.map(([id, label, action, main]) => h("button", { type: "button", id: `do-${id}`, class: main ? "main" : "", onclick: () => open(label, action) }, label)));
  const notes = section("div", { class: "notices" }, (data) => notices(data));
  const flow = section("section", { class: "flow", "aria-label": "Where requests go" }, (data) => service(data));
  const cards = section("div", { class: "cards" }, (data) => COLORS.map((color) => card(data, color, now)));
  const clock = section("section", { class: "panel", "aria-label": "Drain" }, (data) => data && drain(data));
  const checked = section("section", { class: "panel", "aria-label": "Checks" }, (data) => data.length > 0 && checks(data));
  const past = section("section", { class: "panel", "aria-label": "History" }, (data) => data.length > 0 && history(data));
  const unread = section("section", { class: "panel", "aria-label": "Not shown" }, (data) => data.length > 0 && data.map((why) => h("p", { class: "dim" }, why)));
  const body = h("div", {}, buttons.element, notes.element, flow.element, cards.element, clock.element, h("div", { class: "two" }, checked.element, past.element), unread.element);
  const content = h("div", {}, h("p", { class: "dim" }, "Waiting for the cluster …"));
  const element = h("div", { class: "one" }, h("p", {}, h("a", { href: "#/", class: "back" }, "← All apps")), content);

  const without = (why) => {
    show(content, h("h1", {}, name), h("p", { class: "notice bad" }, why));
    app = undefined;
  };

  function take(message) {
    if (message.app === undefined) return;
    if (message.app === null) return without(`There is no BlueGreenApp ${name} in namespace ${namespace}.`);
    if (message.app.cantRead) return without(`This app can't be read: ${message.app.cantRead}`);
    if (!app) show(content, head.element, body);
    ({ app, now } = { app: message.app, now: message.now });
    const state = stateOf(app);
    head.update({ state, phase: app.phase, paused: app.paused, live: app.live, target: app.target });
    buttons.update(actions(app));
    notes.update(pick(app, "observed", "conditions", "waysOut", "managed"));
    flow.update(ageless(pick(app, "name", "service", "endpoints")));
    cards.update({ ...app });
    clock.update(app.drain);
    checked.update(app.checks);
    past.update(app.history);
    unread.update(app.unreadable);
    const news = `${name}: ${app.phase ?? "New"}, ${app.live ?? "no color"} is live, ${mark(app, "Ready")?.reason ?? ""}`;
    if (told && told !== news) announce(news);
    told = news;
    document.title = `${app.phase ?? "New"}: ${name} · bluegreen`;
  }

  return { title: `${name} · bluegreen`, source: path, element, take };
}
