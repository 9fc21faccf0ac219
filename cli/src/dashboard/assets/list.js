// All apps, one line each.

import { age, announce, h } from "./dom.js";
import { chip, statePill } from "./parts.js";

const RANK = { stalled: 0, busy: 1, unobserved: 2, ready: 3 };
const KINDS = [
  ["all", "All", () => true],
  ["stalled", "Stalled", (row) => row.state === "stalled"],
  ["busy", "Under way", (row) => row.state === "busy" || row.state === "unobserved"],
  ["ready", "Ready", (row) => row.state === "ready"],
];

const readiness = (row) => {
  const live = row.live && row[row.live];
  return live && live.size ? live.ready / live.size : -1;
};
const COLUMNS = [
  ["name", "App", (row) => `${row.namespace}/${row.name}`],
  ["live", "Live", (row) => row.live ?? ""],
  ["blue", "Blue", (row) => row.blue?.tag ?? ""],
  ["green", "Green", (row) => row.green?.tag ?? ""],
  ["pods", "Live pods", readiness],
  ["state", "State", (row) => RANK[row.state]],
  ["missing", "What is missing", (row) => row.missing],
  ["age", "Age", (row) => -Date.parse(row.created ?? 0)],
];

// Kept when the list is left and shown again.
const kept = { sort: "name", down: false, text: "", kind: "all" };

// One for all: to make one is what is slow about a comparison of texts.
const texts = new Intl.Collator("en", { numeric: true });
const compare = (a, b) => (typeof a === "number" ? a - b : texts.compare(a, b));

function version(row, color) {
  const block = row[color];
  if (!block) return h("span", { class: "dim" }, "–");
  return [h("code", { class: `tag ${color}`, title: block.tag }, block.tag || "no version"), " ", h("span", { class: "dim" }, `${block.ready}/${block.size}`)];
}

function line(row) {
  const live = row.live && row[row.live];
  const cell = (label, ...children) => h("td", { role: "cell", "data-label": label }, children);
  const name = h("a", { href: `#/${encodeURIComponent(row.namespace)}/${encodeURIComponent(row.name)}` }, row.name);
  const moving = row.target && row.live && row.live !== row.target;
  return h(
    "tr",
    { role: "row", class: row.state },
    h("th", { role: "rowheader", scope: "row" }, name, h("span", { class: "dim namespace" }, row.namespace)),
    cell("Live", chip(row.live), moving && [h("span", { class: "dim" }, " → "), chip(row.target)]),
    cell("Blue", version(row, "blue")),
    cell("Green", version(row, "green")),
    cell("Live pods", live ? `${live.ready}/${live.size}` : h("span", { class: "dim" }, "–")),
    cell("State", statePill(row.state, row.phase ?? "New"), " ", h("span", { class: "dim reason" }, row.reason)),
    cell("What is missing", h("span", { class: "missing", title: row.missing }, row.missing)),
    cell("Age", row.created ? age(row.created) : ""),
  );
}

/** The list. `take` gets the messages of its stream. */
export function listView(about) {
  const rows = new Map();
  const lines = new Map();
  let order = "";
  const body = h("tbody", { role: "rowgroup" });
  const count = h("p", { class: "dim count", role: "status" });
  const empty = h("p", { class: "empty", hidden: true });
  const filter = h("input", {
    id: "filter", type: "search", value: kept.text, autocomplete: "off", spellcheck: "false", placeholder: "name, tag, reason …",
    oninput: () => { kept.text = filter.value; arrange(); },
  });
  const kinds = KINDS.map(([kind, label]) => {
    const number = h("span", { class: "number" });
    const input = h("input", {
      type: "radio", name: "kind", id: `kind-${kind}`, checked: kept.kind === kind,
      onchange: () => { kept.kind = kind; arrange(); },
    });
    return { kind, number, element: [input, h("label", { for: `kind-${kind}` }, label, " ", number)] };
  });
  const heads = COLUMNS.map(([column, label]) => {
    const button = h("button", {
      type: "button", id: `sort-${column}`,
      onclick: () => {
        kept.down = kept.sort === column && !kept.down;
        kept.sort = column;
        arrange();
      },
    }, label);
    return { column, element: h("th", { role: "columnheader", scope: "col", class: `c-${column}` }, button) };
  });

  function arrange() {
    const words = kept.text.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = (row) => {
      const text = [row.namespace, row.name, row.live, row.blue?.tag, row.green?.tag, row.phase, row.reason, row.missing].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    };
    const all = [...rows.values()].filter(matches);
    for (const { kind, number } of kinds) number.textContent = String(all.filter(KINDS.find(([it]) => it === kind)[2]).length);
    const of = COLUMNS.find(([column]) => column === kept.sort)[2];
    const name = COLUMNS[0][2];
    const shown = all.filter(KINDS.find(([kind]) => kind === kept.kind)[2]);
    shown.sort((a, b) => (kept.down ? -1 : 1) * compare(of(a), of(b)) || compare(name(a), name(b)));
    for (const { column, element } of heads) {
      if (column === kept.sort) element.setAttribute("aria-sort", kept.down ? "descending" : "ascending");
      else element.removeAttribute("aria-sort");
    }
    const wanted = shown.map(name);
    if (wanted.join(" ") !== order) {
      order = wanted.join(" ");
      body.replaceChildren(...wanted.map((key) => lines.get(key)));
    }
    const text = shown.length === rows.size ? `${rows.size} apps` : `${shown.length} of ${rows.size} apps`;
    if (count.textContent !== text) count.textContent = text;
    empty.hidden = shown.length > 0;
    const where = about.namespace ? `in namespace ${about.namespace}` : "in any namespace";
    empty.textContent = rows.size ? "No app matches the filter." : `There is no app ${where}.`;
  }

  function take({ rows: changed = [], gone = [] }) {
    const stalled = () => [...rows.values()].filter((row) => row.state === "stalled").length;
    const before = rows.size ? stalled() : undefined;
    for (const key of gone) {
      rows.delete(key);
      lines.get(key)?.remove();
      lines.delete(key);
    }
    for (const row of changed) {
      const key = `${row.namespace}/${row.name}`;
      const focused = lines.get(key)?.contains(document.activeElement);
      const fresh = line(row);
      lines.get(key)?.replaceWith(fresh);
      if (focused) fresh.querySelector("a").focus({ preventScroll: true });
      rows.set(key, row);
      lines.set(key, fresh);
    }
    arrange();
    if (before !== undefined && before !== stalled()) announce(`${stalled()} of ${rows.size} apps are stalled`);
  }

  const element = h(
    "div",
    {},
    h("div", { class: "head" }, h("h1", {}, "Apps"), count),
    h(
      "form",
      { class: "tools", role: "search", onsubmit: (event) => event.preventDefault() },
      h("label", { for: "filter" }, "Filter"),
      filter,
      h("fieldset", { class: "kinds" }, h("legend", { class: "unseen" }, "State"), kinds.map((kind) => kind.element)),
    ),
    h("table", { role: "table", class: "apps" }, h("caption", { class: "unseen" }, "Apps"),
      h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, heads.map((head) => head.element))), body),
    empty,
  );
  return { title: "Apps · bluegreen", source: "/api/apps", element, take };
}
