// Builds elements. Every text goes through `visible` and becomes a text node: nothing that comes from the cluster is ever
// taken for markup.

const HARMFUL = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

/** The text with control characters, and those that hide or reorder others, written as their numbers. */
export function visible(text) {
  return String(text).replace(/[\n\t\r]/g, " ").replace(HARMFUL, (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : visible(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
  return element;
}

/** An HTML element. */
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);

/** An SVG element. */
export const svg = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** Replaces what is in an element, and leaves the focus where it was, by the id of the element that had it. */
export function show(element, ...children) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  element.replaceChildren();
  fill(element, {}, children);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

/** Shows `render(data)` in a new element, and again only when the data differ. */
export function section(tag, attributes, render) {
  const element = h(tag, attributes);
  let shown;
  const update = (data) => {
    const text = JSON.stringify(data);
    if (text === shown) return;
    shown = text;
    const content = render(data);
    element.hidden = !content;
    show(element, content ?? []);
  };
  return { element, update };
}

/** Tells a screen reader, at the next chance. */
export function announce(text) {
  const news = document.getElementById("news");
  if (news.textContent !== text) news.textContent = visible(text);
}

// The clock of the program that serves this page, against this one's.
let ahead = 0;
export const setClock = (now) => (ahead = Date.parse(now) - Date.now());
export const secondsSince = (time) => Math.max(0, (Date.now() + ahead - Date.parse(time)) / 1000);

/** 12s, 5m, 3h, 12d: as the command line says it. */
export function short(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 120) return `${whole}s`;
  if (whole < 7200) return `${Math.floor(whole / 60)}m`;
  if (whole < 172800) return `${Math.floor(whole / 3600)}h`;
  return `${Math.floor(whole / 86400)}d`;
}

/** A time that is shown as its age, and grows older by itself. */
export const age = (time, after = "") =>
  h("time", { datetime: time, title: new Date(time).toLocaleString(), "data-after": after }, short(secondsSince(time)) + after);

/** The time at which something was so many seconds old when the data came. */
export const born = (seconds, now) => new Date(Date.parse(now) - seconds * 1000).toISOString();

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-after]")) {
    const text = short(secondsSince(time.dateTime)) + time.dataset.after;
    if (time.textContent !== text) time.textContent = text;
  }
}, 1000);
