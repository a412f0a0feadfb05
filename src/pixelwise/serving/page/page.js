"use strict";
const get = (id) => document.getElementById(id);
const classes = JSON.parse(get("table").textContent);
const colors = classes.map(({ color }) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16)));
const shown = classes.map(() => true);
const [photo, mask, opacity, status] = ["photo", "mask", "opacity", "status"].map(get);
const stretched = get("shown").textContent !== "";  // images that a browser decodes in part or not at all
let file = null, ids = null, size = [0, 0], asking = null;

function say(text, wrong = false) {
  status.textContent = text;
  status.classList.toggle("wrong", wrong);
}

async function ask(image, accept, signal) {
  const headers = { "Content-Type": "application/x-image", "Accept": accept };
  const answer = await fetch("invocations", { method: "POST", headers, body: image, signal });
  if (answer.status === 204) throw new Error("The file is empty.");
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || `The endpoint answered ${answer.status}.`);
  return answer;
}

// NumPy's format, version 1: magic (6 bytes), version (2), length of the header (2), header, data.
function classMap(buffer) {
  const length = new DataView(buffer).getUint16(8, true);
  const header = new TextDecoder("latin1").decode(new Uint8Array(buffer, 10, length));
  const [height, width] = header.match(/\((\d+), (\d+)\)/).slice(1).map(Number);
  return { ids: new Uint8Array(buffer, 10 + length), size: [width, height] };
}

// The image as this browser decodes it, else as the endpoint shows it: an overlay without its colours.
async function pictureOf(image, signal) {
  const decoded = stretched ? null : await createImageBitmap(image).catch(() => null);
  if (decoded) return decoded;
  const answer = await ask(image, "image/png; overlay=true; opacity=0", signal).catch(() => null);
  return answer && createImageBitmap(await answer.blob()).catch(() => null);
}

async function look(image) {
  if (asking) asking.abort();
  const mine = asking = new AbortController();
  say(`Looking at ${image.name || "the image"} ...`);
  const started = performance.now();
  try {
    const [answer, picture] = await Promise.all([
      ask(image, "application/x-npy", mine.signal).then((reply) => reply.arrayBuffer()),
      pictureOf(image, mine.signal),
    ]);
    if (mine.signal.aborted) return;
    file = image;
    ({ ids, size } = classMap(answer));
    draw(picture);
    const seconds = ((performance.now() - started) / 1000).toFixed(2);
    const unseen = picture ? "" : " This browser cannot show the image itself.";
    say(`${image.name || "Image"}: ${size[0]} x ${size[1]} px, ${seconds} s.${unseen}`);
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
  }
}

function draw(picture) {
  document.querySelector("main").hidden = false;
  for (const canvas of [photo, mask]) [canvas.width, canvas.height] = size;
  if (picture) photo.getContext("2d").drawImage(picture, 0, 0, ...size);
  const counts = new Float64Array(256);
  for (const id of ids) counts[id]++;
  [...get("classes").rows].forEach((row, i) => {
    row.classList.toggle("absent", !counts[i]);
    row.cells[1].textContent = `${(100 * counts[i] / ids.length).toFixed(1)} %`;
    row.cells[2].textContent = counts[i].toLocaleString("en");
  });
  paint();
}

function paint() {
  if (!ids) return;
  const context = mask.getContext("2d");
  const image = context.createImageData(...size);
  const table = new Uint32Array(256), bytes = new Uint8Array(table.buffer);
  colors.forEach((color, i) => { if (shown[i]) bytes.set([...color, 255], 4 * i); });
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < ids.length; i++) pixels[i] = table[ids[i]];
  context.putImageData(image, 0, 0);
}

function setOpacity(value) {
  opacity.value = value;
  get("share").textContent = `${opacity.value} %`;
  mask.style.opacity = opacity.value / 100;
}

function show(wanted) {
  shown.fill(wanted);
  for (const box of get("classes").querySelectorAll("input")) box.checked = wanted;
  paint();
}

function save(blob, ending) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${(file.name || "image").replace(/\.[^.]*$/, "")}${ending}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function saveMask() {
  if (!file) return;
  try {
    save(await (await ask(file, "image/png")).blob(), "_mask");
  } catch (error) {
    say(error.message, true);
  }
}

function saveView() {
  const view = document.createElement("canvas");
  [view.width, view.height] = size;
  const context = view.getContext("2d");
  context.drawImage(photo, 0, 0);
  context.globalAlpha = opacity.value / 100;
  context.drawImage(mask, 0, 0);
  view.toBlob((blob) => save(blob, "_overlay"));
}

function point(event) {
  if (!ids) return;
  const box = mask.getBoundingClientRect();
  const x = Math.floor((event.clientX - box.left) / box.width * size[0]);
  const y = Math.floor((event.clientY - box.top) / box.height * size[1]);
  const id = ids[y * size[0] + x];
  if (x >= 0 && x < size[0] && classes[id]) get("here").textContent = `${x}, ${y}: ${classes[id].name} (${id})`;
}

classes.forEach(({ name }, i) => {
  const row = get("classes").insertRow(), label = document.createElement("label");
  const box = document.createElement("input"), swatch = document.createElement("span");
  box.type = "checkbox";
  box.checked = true;
  box.addEventListener("change", () => { shown[i] = box.checked; paint(); });
  swatch.className = "swatch";
  swatch.style.background = classes[i].color;
  label.append(box, swatch, name);
  row.insertCell().append(label);
  row.insertCell();
  row.insertCell();
});
setOpacity(60);

const keys = {
  o: () => get("file").click(), m: () => setOpacity(opacity.value > 0 ? 0 : 60), a: () => show(true), n: () => show(false),
  "[": () => setOpacity(+opacity.value - 5), "]": () => setOpacity(+opacity.value + 5), d: saveMask,
};
get("open").addEventListener("click", keys.o);
get("file").addEventListener("change", () => { if (get("file").files[0]) look(get("file").files[0]); get("file").value = ""; });
opacity.addEventListener("input", () => setOpacity(opacity.value));
get("all").addEventListener("click", keys.a);
get("none").addEventListener("click", keys.n);
get("save-mask").addEventListener("click", saveMask);
get("save-overlay").addEventListener("click", saveView);
mask.addEventListener("pointermove", point);
document.addEventListener("keydown", (event) => {
  if (!event.ctrlKey && !event.metaKey && !event.altKey && keys[event.key]) keys[event.key]();
});
document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dropping"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files[0]) look(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => { if (event.clipboardData.files[0]) look(event.clipboardData.files[0]); });
