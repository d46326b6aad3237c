"use strict";
// Shows the device's screen as it changes, and hands over clicks and keys. A window in the background rests.
const canvas = document.getElementById("screen");
const message = document.getElementById("message");
const hint = message.textContent;
let tag = "";

function say(text) { // a screen reader speaks each change: none where nothing changed
  if (message.textContent !== text) message.textContent = text;
  message.classList.toggle("fault", text !== hint);
}

async function look() {
  if (document.hidden) await new Promise((seen) => document.addEventListener("visibilitychange", seen, { once: true }));
  const answer = await fetch("/api/v1/screen.png", { headers: { "if-none-match": tag } });
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error((await answer.json()).error);
  const picture = await createImageBitmap(await answer.blob());
  tag = answer.headers.get("etag");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  say(hint);
}

function touch(kind, values) {
  const headers = { "content-type": "application/json", "x-csrf-token": document.querySelector("meta[name=csrf-token]").content };
  fetch("/api/v1/screen/" + kind, { method: "POST", headers, body: JSON.stringify(values) })
    .then(async (answer) => { if (!answer.ok) throw new Error((await answer.json()).error); })
    .catch((error) => say("Not done: " + error.message));
}

if (canvas.classList.contains("touched")) {
  canvas.addEventListener("click", ({ offsetX, offsetY }) =>
    touch("tap", { x: offsetX / canvas.clientWidth, y: offsetY / canvas.clientHeight }));
  document.getElementById("touch").addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter.name === "key") return touch("key", { key: event.submitter.value });
    const text = event.target.elements.text;
    touch("type", { text: text.value });
    return (text.value = "");
  });
}
(async () => {
  for (;;) {
    await look().catch((error) => {
      say(error.message);
      return new Promise((again) => setTimeout(again, 1000)); // as a client that dials again
    });
  }
})();
