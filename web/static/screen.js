"use strict";
// Shows the device's screen as it changes, and hands over clicks and keys. A window in the background rests.
const canvas = document.getElementById("screen");
const message = document.getElementById("message");
const keys = document.getElementById("touch");
const hint = message.textContent;
let tag = "";

function say(text) { // a screen reader speaks each change: none where nothing changed
  if (message.textContent !== text) message.textContent = text;
  message.classList.toggle("fault", text !== hint);
}

async function look() {
  if (document.hidden) return;
  const answer = await fetch("/api/v1/screen.png", { headers: { "if-none-match": tag } });
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error((await answer.json()).error);
  const picture = await createImageBitmap(await answer.blob());
  tag = answer.headers.get("etag");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  canvas.getContext("2d").drawImage(picture, 0, 0);
  say(hint);
}

function touch(values) {
  const headers = { "content-type": "application/json", "x-csrf-token": keys.elements.csrf_token.value };
  fetch("/api/v1/screen/touch", { method: "POST", headers, body: JSON.stringify(values) })
    .then(async (answer) => { if (!answer.ok) throw new Error((await answer.json()).error); })
    .catch((error) => say("Not done: " + error.message));
}

if (keys) {
  canvas.style.cursor = "pointer";
  canvas.addEventListener("click", ({ offsetX, offsetY }) =>
    touch({ x: offsetX / canvas.clientWidth, y: offsetY / canvas.clientHeight }));
  keys.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = keys.elements.text.value;
    touch(event.submitter.value ? { text, key: event.submitter.value } : { text });
    keys.elements.text.value = "";
  });
}
(function again() {
  look().catch((error) => say(error.message)).finally(() => setTimeout(again, 500)); // the device shows no more a second
})();
