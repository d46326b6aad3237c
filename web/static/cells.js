"use strict";
// Classifies cells without leaving the page: by keys and by the buttons. Without this script the form does it.
const form = document.getElementById("classify");
const message = document.getElementById("message");
const count = document.getElementById("count");
const boxes = [...form.querySelectorAll("input[name=cells]")];
const buttons = [...form.querySelectorAll("button[name=class]")];
const classes = new Map(buttons.map((each) => [each.querySelector("kbd").textContent, each.value]));
const token = document.querySelector("meta[name=csrf-token]").content;
let last = Promise.resolve(); // changes go one after the other, as they were typed
let waiting = 0;

async function ask(path, values) {
  const answer = await fetch("/api/v1/" + path, values && {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": token },
    body: JSON.stringify(values),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error);
  return found;
}

function say(text, fault) {
  message.textContent = text;
  message.classList.toggle("fault", Boolean(fault));
}

function change(path, values, then) {
  waiting += 1;
  last = last.then(() => ask(path, values)).then(then).catch((error) => say("Not done: " + error.message, true))
    .finally(() => { waiting -= 1; return waiting ? null : recount(); });
}

async function recount() {
  const found = await ask(`slides/show?slide=${form.dataset.slide}&limit=0`).catch(() => null);
  if (found) count.textContent = found.counts[form.dataset.operator]?.leukocytes ?? 0;
}

function show(event, name) {
  const box = boxes.find((each) => each.value === `${event.field_id}.${event.number}`);
  if (box) box.parentElement.querySelector("b").textContent = name || "not classified";
}

function classify(name, dragged) {
  const marked = dragged && !dragged.checked ? [dragged] : boxes.filter((each) => each.checked);
  const focused = boxes.indexOf(document.activeElement);
  const chosen = marked.length ? marked : boxes.slice(focused, focused + 1);
  if (!chosen.length || (!marked.length && focused < 0)) return say("Mark a cell first.", true);
  const names = chosen.map((each) => each.value);
  for (const each of chosen) each.checked = false;
  change("cells/classify", { cells: names, class: name }, (found) => {
    for (const each of chosen) each.parentElement.querySelector("b").textContent = found.class;
    say(names.length === 1 ? `Cell ${names[0]}: ${found.class}.` : `${names.length} cells: ${found.class}.`);
  });
  if (focused >= 0 || marked.length) go(boxes.indexOf(chosen[chosen.length - 1]) + 1);
}

function go(place) {
  const next = place < boxes.length ? boxes[Math.max(place, 0)] : document.getElementById("onward");
  if (next) next.focus();
}

function columns() {
  const top = boxes[0].getBoundingClientRect().top;
  return boxes.filter((each) => Math.abs(each.getBoundingClientRect().top - top) < 2).length;
}

form.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !boxes.length) return;
  const place = boxes.indexOf(document.activeElement);
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() };
  if (classes.has(event.key)) classify(classes.get(event.key));
  else if (event.key in moves && place >= 0) go(Math.max(0, Math.min(place + moves[event.key], boxes.length - 1)));
  else if (event.key === "Backspace") {
    change("cells/undo", { slide: form.dataset.slide }, ({ event: done }) => {
      if (done) show(done, done.new);
      say(done ? `Taken back: cell ${done.field_id}.${done.number}.` : "Nothing to take back.");
    });
  } else return;
  event.preventDefault();
});

form.addEventListener("submit", (event) => {
  if (!event.submitter?.value) return;
  event.preventDefault();
  classify(event.submitter.value);
});
// A cell is dragged onto the button of a class, and with a marked one all that are marked.
for (const box of buttons.length ? boxes : []) {
  box.parentElement.draggable = true;
  box.parentElement.addEventListener("dragstart", (event) => event.dataTransfer.setData("text/plain", box.value));
}
for (const button of buttons) {
  const mark = (event) => {
    event.preventDefault(); // it may be dropped here
    button.classList.toggle("over", event.type === "dragover");
  };
  for (const kind of ["dragover", "dragleave"]) button.addEventListener(kind, mark);
  button.addEventListener("drop", (event) => {
    mark(event);
    const dragged = boxes.find((each) => each.value === event.dataTransfer.getData("text/plain"));
    if (dragged) classify(button.value, dragged);
  });
}
if (boxes.length) boxes[0].focus({ preventScroll: true });
