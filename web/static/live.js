"use strict";
// Shows what moves: each result by server-sent events, together with its own picture; a window in the background rests.
const picture = document.getElementById("picture");
const pause = document.getElementById("pause");
const verdict = document.getElementById("verdict");
const titles = new Map([...document.querySelectorAll("meter")].map((each) => [
  each.dataset.class, document.getElementById("class-" + each.dataset.class).textContent]));
let events = null;
let before = null;

function write(element, text) { // a screen reader speaks each change: none where nothing changed
  if (element.textContent !== text) element.textContent = text;
}

function fact(name, text) {
  write(document.querySelector(`[data-fact=${name}]`), text);
}

function number(value) {
  return value === null || value === undefined ? "–" : value.toFixed(2);
}

function show(state) {
  if (state.error) return write(verdict, state.error);
  const result = state.result;
  fact("state", (state.camera_lost ? "lost: " : "") + state.camera + (state.simulated ? " (simulated)" : ""));
  fact("slide", state.slide ?? "none is open");
  fact("fields", `${state.accepted} and ${state.refused}`);
  const uncleared = state.qc && !state.qc.cleared ? ["Quality control is not cleared: " + state.qc.reasons.join("; ")] : [];
  const drawn = state.simulated ? ["Simulated microscope: drawn cells, no patient's."] : [];
  write(document.getElementById("warnings"),
    [...drawn, ...uncleared, ...Object.values(state.faults).map(String), ...state.warnings].join(" "));
  if (before && state.running_s > before.running_s) {
    fact("rate", ((state.fields - before.fields) / (state.running_s - before.running_s)).toFixed(1));
  }
  if (!before || state.running_s > before.running_s + 2) before = state;
  if (!result) return write(verdict, "No field comes from the camera.");
  write(verdict, result.label ? "Resembles " + titles.get(result.label) : "Refused");
  write(document.getElementById("advice"), result.refusals.map((each) => each.advice).join("; "));
  for (const meter of document.querySelectorAll("meter")) {
    const value = result.label ? result.probabilities[meter.dataset.class] ?? 0 : 0; // refused: it resembles no class
    meter.value = value;
    meter.parentElement.nextElementSibling.textContent = result.label ? Math.round(100 * value) + " %" : "–";
  }
  for (const name of ["focus", "brightness", "clipped"]) fact(name, number(result.quality[name]));
  fact("cells", String(result.cells.length));
}

let loading = false; // one picture at a time: on a slow network some results are left out

function take(state) {
  if (!state.result) return show(state);
  if (loading) return null;
  loading = true;
  const next = new Image();
  next.addEventListener("load", () => {
    loading = false;
    if (!events) return; // frozen meanwhile
    picture.src = next.src;
    show(state);
  });
  next.addEventListener("error", () => { loading = false; });
  next.src = "/api/v1/live.jpg?number=" + state.result.number;
  return null;
}

function begin() {
  events = new EventSource("/api/v1/events");
  events.addEventListener("result", (event) => take(JSON.parse(event.data)));
  events.addEventListener("error", () => write(verdict, "The connection is lost; trying again."));
}

function end() { // the device draws nothing for a window that nobody sees
  events?.close();
  events = null;
}

pause.hidden = false;
pause.addEventListener("click", () => {
  const frozen = Boolean(events);
  frozen ? end() : begin();
  pause.setAttribute("aria-pressed", String(frozen));
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) end();
  else if (pause.getAttribute("aria-pressed") === "false") begin();
});
begin();
