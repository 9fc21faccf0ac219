// Before an edit: what it is, and what would happen. Then, if the dashboard may edit, the button that makes it.

import { announce, h, show } from "./dom.js";
import { COLORS, chip } from "./parts.js";

const WHO = { operator: "operator", gate: "status", cluster: "cluster", clock: "time" };

async function ask(path, body) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const text = await answer.text();
    try {
      return { ok: answer.ok, ...JSON.parse(text) };
    } catch {
      return { ok: false, refused: text.trim() || `The dashboard answered ${answer.status}.` };
    }
  } catch {
    return { ok: false, refused: "No connection to the dashboard." };
  }
}

const lines = (all) => h("pre", { class: "diff", tabindex: "0", role: "region", "aria-label": "The same edit of the manifest" }, all.map((text) => {
  const kind = text.startsWith("+") ? "plus" : text.startsWith("-") ? "minus" : "";
  return h("span", { class: kind }, text.replaceAll(" ", "\u00a0"), h("br"));
}));

function plan(foreseen) {
  let number = 0;
  const step = ({ who, what }) => h("li", { class: who }, h("span", { class: "who" }, who === "operator" ? `${(number += 1)} ${WHO[who]}` : WHO[who]), h("span", {}, what));
  return [
    h("h3", {}, "What would happen"),
    h("p", { class: "dim" }, `Now: ${foreseen.before}.`),
    foreseen.problems.map((problem) => h("p", { class: "notice bad" }, `Refused: ${problem}`)),
    h("ol", { class: "plan", tabindex: "0" }, foreseen.steps.map(step), foreseen.steps.length === 0 && h("li", {}, h("span", {}, "nothing"))),
    h("p", { class: `notice ${foreseen.good ? "good" : "bad"}` }, h("strong", {}, `Then: ${foreseen.after}. `), foreseen.end),
    h("p", { class: "dim" }, "From the operator's own planner, if nothing fails meanwhile."),
  ];
}

/** Asks for a version to deploy. */
function form(action, app, changed) {
  const tag = h("input", { id: "tag", autocomplete: "off", spellcheck: "false", placeholder: "v1.2.3", value: action.tag ?? "" });
  const choice = (value, label) => [
    h("input", { type: "radio", name: "to", id: `to-${value ?? "idle"}`, checked: action.to === value, onchange: () => { action.to = value; changed(); } }),
    h("label", { for: `to-${value ?? "idle"}` }, label),
  ];
  let timer;
  tag.addEventListener("input", () => {
    action.tag = tag.value.trim();
    clearTimeout(timer);
    timer = setTimeout(changed, 250);
  });
  return h("div", { class: "form" }, h("label", { for: "tag" }, "Tag"), tag,
    h("fieldset", { class: "kinds" }, h("legend", {}, "Color"), choice(null, "the idle one"), COLORS.map((color) => choice(color, chip(color)))));
}

/** Shows what an action would do. */
export function openDialog({ path, about, app, label, action }) {
  const title = label.replace(" …", "");
  const wanted = { ...action };
  const says = h("p", { class: "what", role: "status" });
  const content = h("div", { class: "content" });
  const confirm = h("button", { type: "button", id: "confirm", class: "main", disabled: true }, title);
  const close = h("button", { type: "button", id: "close", onclick: () => dialog.close() }, "Close");
  let generation;
  let asked = 0;

  async function look(before = []) {
    if (wanted.kind === "deploy" && !wanted.tag) return show(content, h("p", { class: "dim" }, "Give a tag to see what would happen."));
    const turn = (asked += 1);
    confirm.disabled = true;
    if (!content.firstChild) show(content, h("p", { class: "dim" }, "Planning …"));
    const outlook = await ask(`${path}/plan`, { action: wanted, generation: app.generation });
    // A later question has been asked meanwhile.
    if (turn !== asked) return;
    generation = outlook.generation;
    const { edit } = outlook;
    show(says, edit && [h("strong", {}, edit.what), edit.lines.length === 0 && ": no change, the spec already says so"]);
    show(content, before,
      outlook.refused && h("p", { class: "notice bad" }, outlook.refused),
      outlook.warning && edit?.lines.length > 0 && h("p", { class: "notice busy" }, outlook.warning),
      edit?.note && h("p", { class: "notice busy" }, edit.note),
      edit?.lines.length > 0 && [h("h3", {}, "The same edit of the manifest"), lines(edit.lines)],
      outlook.unforeseen && h("p", { class: "notice busy" }, outlook.unforeseen),
      outlook.foreseen && plan(outlook.foreseen));
    confirm.disabled = !edit || edit.lines.length === 0;
  }

  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    const made = await ask(`${path}/edit`, { action: wanted, generation });
    if (made.ok) {
      announce(`Done: ${made.what}`);
      return dialog.close();
    }
    // What stands in the way, above the plan as it is now.
    await look(h("p", { class: "notice bad", role: "alert" }, `Not done: ${made.refused}`));
  });

  const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() },
    h("h2", { id: "dialog-title" }, title, h("span", { class: "dim" }, ` ${app.name}`)),
    wanted.kind === "deploy" && form(wanted, app, () => look()),
    says,
    content,
    h("div", { class: "buttons" }, about.edits ? confirm : h("p", { class: "dim" }, "This dashboard only shows. Start it with --allow-edits to edit apps."), close));
  document.body.append(dialog);
  dialog.showModal();
  look();
}
