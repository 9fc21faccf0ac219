// The parts of the pictures.

import { age, born, h, secondsSince, short, svg } from "./dom.js";

/** A color by its name, with a mark that is not a color. */
export function chip(color) {
  if (!color) return h("span", { class: "chip none" }, "none yet");
  return h("span", { class: `chip ${color}` }, color);
}

/** How an app does. */
export const statePill = (state, words) => h("span", { class: `pill ${state}` }, words);

export const COLORS = ["blue", "green"];
export const other = (color) => (color === "blue" ? "green" : "blue");

/** What a color is at the moment. */
export function role(app, color) {
  if (app.live === color) return "live";
  if (app.target === color) return app.rejected?.color === color ? "refused" : "target";
  if (app.drain?.old === color) return "draining";
  const view = app.colors.find((it) => it.color === color);
  return view && view.size === 0 ? "scaled down" : "idle";
}

const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** How many ready endpoints of each color the live Service has. */
export function shares(app) {
  const count = (color) => app.endpoints.filter((it) => it.ready && it.color === color).length;
  return { blue: count("blue"), green: count("green"), none: count(null) };
}

/** The Service, and the lines from it to the two colors. */
export function service(app) {
  const share = shares(app);
  const view = app.service;
  const selects = view?.selects;
  const line = (color, x) =>
    svg("path", {
      class: `pipe ${color} ${share[color] ? "flows" : ""} ${selects === color ? "selected" : ""}`,
      d: `M100 0 C100 34 ${x} 22 ${x} 60`, "vector-effect": "non-scaling-stroke",
    });
  const label = (color) =>
    h("span", { class: `share ${color} ${share[color] ? "flows" : ""}` }, share[color] ? many(share[color], "endpoint") : "no endpoints");
  const says = !view ? "not seen" : view.edited ? "selector edited" : selects ? ["selects ", chip(selects)] : "selects no pods yet";
  return [
    h("div", { class: "service" },
      h("h2", {}, h("span", { class: "dim" }, "Service "), view?.name ?? app.name),
      h("p", {}, says),
      view && h("p", { class: "dim" }, `${view.clusterIP || "no address"} · port ${view.ports}`)),
    h("div", { class: "pipes" },
      svg("svg", { viewBox: "0 0 200 60", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
        [...COLORS].sort((a) => (a === selects ? 1 : -1)).map((color) => line(color, color === "blue" ? 50 : 150))),
      h("div", { class: "shares" }, COLORS.map(label))),
    share.none > 0 && h("p", { class: "notice bad" }, `${many(share.none, "endpoint")} of the Service belong to neither color: no switch moves them.`),
  ];
}

const SHOWN = 24;

function podLine(app, pod, now) {
  const endpoint = app.endpoints.find((it) => it.pod === pod.name);
  const gets = endpoint?.ready && !endpoint.terminating;
  const state = pod.isReady ? "good" : pod.status === "Terminating" ? "dim" : /Running|Pending|Creating|Initializing/.test(pod.status) ? "busy" : "bad";
  return h("li", { class: `pod ${state} ${gets ? "gets" : ""}`, title: pod.name },
    h("span", { class: "dot", "aria-hidden": "true" }),
    h("code", {}, h("span", { class: "unseen" }, `pod ${pod.name.slice(0, -5)}`), pod.name.slice(-5)),
    h("span", { class: "what" }, pod.status, pod.isReady && h("span", { class: "unseen" }, ", ready"), gets && h("span", { class: "unseen" }, ", gets requests")),
    h("span", { class: "dim" }, age(born(pod.age, now))));
}

/** One color with its pods. */
export function card(app, color, now) {
  const view = app.colors.find((it) => it.color === color);
  const is = role(app, color);
  const title = h("h2", {}, chip(color));
  if (!view) return h("section", { class: `card ${color} absent`, "aria-label": color }, h("div", { class: "title" }, title, statePill("none", "not set")), h("p", { class: "dim" }, `spec.${color} is not set: deploy a version to it.`));
  const at = view.image.lastIndexOf("@") > 0 ? view.image.lastIndexOf("@") : view.image.lastIndexOf(":");
  const pods = view.replicaSets.flatMap((set) => set.pods);
  return h("section", { class: `card ${color} ${is.replace(" ", "-")}`, "aria-label": color },
    h("div", { class: "title" }, title, statePill(is, is)),
    h("p", { class: "version" }, h("code", {}, at > 0 ? view.image.slice(at + 1) : view.image)),
    h("p", { class: "dim image" }, at > 0 && view.image.slice(0, at), view.revision > 0 && ` · revision ${view.revision}`),
    h("p", { class: "ready" }, h("strong", {}, `${view.ready}/${view.size}`), " pods ready"),
    view.held && h("p", { class: "notice busy" }, `Held until ${color} is idle: `, h("code", {}, view.held)),
    view.restarted && h("p", { class: "notice busy" }, `Restarted by hand at ${view.restarted}`),
    pods.length > 0 && h("ul", { class: "pods" }, pods.slice(0, SHOWN).map((pod) => podLine(app, pod, now))),
    pods.length > SHOWN && h("p", { class: "dim" }, `and ${many(pods.length - SHOWN, "more pod")}`),
    view.service && h("p", { class: "dim own" }, "for tests: ", h("code", {}, `service/${view.service.name}`)));
}

/** The drain's clock. */
export function drain({ old, seconds, since, seen }) {
  const bar = h("progress", { max: seconds, value: 0, "aria-label": `drain of ${old}` });
  const text = h("span", { class: "clock" });
  const tick = () => {
    const passed = secondsSince(since);
    bar.value = Math.min(passed, seconds);
    const words = passed < seconds ? `${Math.ceil(seconds - passed)}s left of ${seconds}s` : `over ${seconds}s; ends at any moment`;
    if (text.textContent !== words) text.textContent = words;
    if (bar.isConnected) setTimeout(tick, 250);
  };
  setTimeout(tick, 0);
  return h("div", { class: "drain" },
    h("p", {}, h("strong", {}, `${old} drains`), " ", text, !seen && h("span", { class: "dim" }, " (counted from the switch, so a little longer)")), bar,
    h("p", { class: "dim" }, "Its pods stay as they are until then, to finish their requests."));
}

/** The checks of the newest switch that was checked. */
export function checks(all) {
  const state = { Passed: "ready", Running: "busy", Failed: "stalled", Inconclusive: "stalled" };
  const words = { Inconclusive: "Can't tell" };
  return [h("h2", {}, "Checks"), h("ul", { class: "checks" }, all.map((check) =>
    h("li", {}, statePill(state[check.result], words[check.result] ?? check.result), " ", h("strong", {}, check.name),
      h("span", { class: "dim" }, ` ${check.when.toLowerCase()} the switch to ${check.color}, revision ${check.revision}`),
      check.message && h("p", {}, check.message),
      check.job && h("p", { class: "dim" }, h("code", {}, `kubectl logs job/${check.job}`)))))];
}

/** The switches before, newest first. */
export function history(entries) {
  const took = (entry) => short((Date.parse(entry.finishedAt) - Date.parse(entry.startedAt)) / 1000);
  return [h("h2", {}, "History"), h("ol", { class: "history" }, entries.map((entry) =>
    h("li", { class: entry.to },
      h("p", {}, entry.from ? [chip(entry.from), " → "] : "first ", chip(entry.to), " ", age(entry.finishedAt, " ago")),
      h("p", {}, h("code", {}, entry.image || "?"), h("span", { class: "dim" }, ` revision ${entry.revision}`)),
      h("p", { class: "dim" }, `took ${took(entry)}`, entry.drainedAt ? ", drained" : entry.from && ", not drained yet",
        entry.cause === "Check" && ", by itself: a check had failed"))))];
}
