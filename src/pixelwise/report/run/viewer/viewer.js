// The viewer: an image under its prediction, truth or errors, and the classes of the pixel under the pointer.
{
  const IGNORE = 255;
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const element = (name) => document.getElementById(`viewer-${name}`);
  const shown = new Uint8Array(256).fill(1); // by class id: whether it is switched on
  let current = null; // { index, width, height, photo, truth, predicted, confidence }
  let cursor = null; // [x, y] in pixels of the image
  let loading = 0;

  if (data.panels?.length) start();

  function start() {
    element("off").hidden = true;
    element("on").hidden = false;
    element("image").addEventListener("change", () => open(Number(element("image").value)));
    element("previous").addEventListener("click", () => step(-1));
    element("next").addEventListener("click", () => step(1));
    element("layer").addEventListener("change", paint);
    element("opacity").addEventListener("input", compose);
    listenToClasses();
    listenToPointer(element("canvas"));
    for (const link of document.querySelectorAll("[data-panel]")) {
      link.hidden = false;
      link.addEventListener("click", (event) => {
        event.preventDefault();
        open(Number(link.dataset.panel));
        location.hash = "viewer";
        element("canvas").focus({ preventScroll: true });
      });
    }
    open(Number(element("image").value));
  }

  function step(by) {
    const options = [...element("image").options].map((option) => Number(option.value));
    const place = options.indexOf(Number(element("image").value));
    open(options[(place + by + options.length) % options.length]);
  }

  // Show the panel of an index; what was asked for last wins, however long the pictures take.
  async function open(index) {
    const ticket = ++loading;
    const { truth, predicted } = data.panels[index];
    const article = document.getElementById(`panel-${index}`);
    const photo = article.querySelector(".photo");
    await photo.decode();
    const planes = await Promise.all([truth, predicted, article.querySelector(".confidence").src].map(values));
    if (ticket !== loading) return;
    current = {
      index, photo, width: photo.naturalWidth, height: photo.naturalHeight,
      truth: planes[0], predicted: planes[1], confidence: planes[2],
    };
    cursor = null;
    element("image").value = String(index);
    const canvas = element("canvas");
    canvas.width = current.width;
    canvas.height = current.height;
    canvas.style.setProperty("--ratio", current.width / current.height);
    markAbsentClasses();
    paint();
    const known = (id) => id < data.names.length || id === IGNORE;
    element("readout").textContent = current.truth.every(known)
      ? "Point at the image, or focus it and use the arrow keys."
      : "This browser alters pictures that a page reads (a setting for privacy): classes shown here can be wrong.";
  }

  // The values of a gray picture, one byte a pixel. Without a colour profile no browser changes them.
  async function values(source) {
    const image = new Image();
    image.src = source;
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
    return Uint8Array.from({ length: rgba.length / 4 }, (_, i) => rgba[4 * i]);
  }

  let layer = null; // a canvas with the colours of the chosen layer

  function paint() {
    if (!current) return;
    const chosen = element("layer").querySelector(":checked").value;
    const colored = new ImageData(current.width, current.height);
    const pixels = new Uint32Array(colored.data.buffer); // bytes are red, green, blue, alpha in memory
    const colors = data.colors.map(packed);
    const wrong = packed(data.wrong);
    const { truth, predicted } = current;
    for (let i = 0; i < pixels.length; i++) {
      if (chosen === "errors") {
        const isWrong = truth[i] !== IGNORE && truth[i] !== predicted[i];
        if (isWrong && (shown[truth[i]] || shown[predicted[i]])) pixels[i] = wrong;
      } else {
        const id = current[chosen][i];
        if (id < colors.length && shown[id]) pixels[i] = colors[id];
      }
    }
    layer = document.createElement("canvas");
    layer.width = current.width;
    layer.height = current.height;
    layer.getContext("2d").putImageData(colored, 0, 0);
    compose();
  }

  function packed(color) {
    return new Uint32Array(new Uint8Array([...color, 255]).buffer)[0];
  }

  function compose() {
    const opacity = element("opacity").value;
    element("percent").textContent = `${opacity} %`;
    if (!current) return;
    const context = element("canvas").getContext("2d");
    context.globalAlpha = 1;
    context.drawImage(current.photo, 0, 0, current.width, current.height);
    context.globalAlpha = opacity / 100;
    context.drawImage(layer, 0, 0);
    if (cursor) drawCursor(context);
  }

  function drawCursor(context) {
    const [x, y] = cursor.map((value) => value + 0.5);
    const reach = Math.max(6, current.width / 50);
    context.globalAlpha = 1;
    for (const [color, width] of [["#000", 3], ["#fff", 1]]) {
      context.strokeStyle = color;
      context.lineWidth = width * Math.max(1, current.width / 640);
      context.beginPath();
      context.moveTo(x - reach, y);
      context.lineTo(x + reach, y);
      context.moveTo(x, y - reach);
      context.lineTo(x, y + reach);
      context.stroke();
    }
  }

  function listenToClasses() {
    const boxes = [...element("classes").querySelectorAll("input")];
    element("classes").addEventListener("input", ({ target }) => {
      shown[target.value] = target.checked;
      paint();
    });
    for (const button of element("classes").querySelectorAll("button")) {
      button.addEventListener("click", () => {
        for (const box of boxes) shown[box.value] = box.checked = button.value === "all";
        paint();
      });
    }
  }

  function markAbsentClasses() {
    const present = new Set([...current.truth, ...current.predicted]);
    for (const box of element("classes").querySelectorAll("input")) {
      box.parentElement.classList.toggle("absent", !present.has(Number(box.value)));
    }
  }

  function listenToPointer(canvas) {
    const point = (event) => {
      if (!current) return;
      const box = canvas.getBoundingClientRect();
      const x = Math.floor(((event.clientX - box.left) / box.width) * current.width);
      const y = Math.floor(((event.clientY - box.top) / box.height) * current.height);
      read(x, y);
    };
    canvas.addEventListener("pointermove", point);
    canvas.addEventListener("pointerdown", point);
    canvas.addEventListener("focus", () => {
      if (current && !cursor && canvas.matches(":focus-visible")) {
        move(Math.floor(current.width / 2), Math.floor(current.height / 2));
      }
    });
    canvas.addEventListener("blur", () => {
      cursor = null;
      compose();
    });
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!way || !current) return;
      event.preventDefault();
      const [x, y] = cursor ?? [Math.floor(current.width / 2), Math.floor(current.height / 2)];
      const far = event.shiftKey ? 10 : 1;
      move(x + far * way[0], y + far * way[1]);
    });
  }

  function move(x, y) {
    cursor = [Math.min(Math.max(x, 0), current.width - 1), Math.min(Math.max(y, 0), current.height - 1)];
    compose();
    read(...cursor);
  }

  // Say what the pixel is, what it was taken for, and how surely.
  function read(x, y) {
    if (x < 0 || y < 0 || x >= current.width || y >= current.height) return;
    const i = y * current.width + x;
    const truth = current.truth[i];
    const predicted = current.predicted[i];
    const verdict = truth === IGNORE ? "not scored" : truth === predicted ? "right" : "wrong";
    const probability = Math.round((100 * current.confidence[i]) / 255);
    element("readout").replaceChildren(
      `(${x}, ${y}) truth `, ...named(truth), ", prediction ", ...named(predicted),
      `: ${verdict}, probability ${probability} %`,
    );
  }

  function named(id) {
    const name = document.createElement("strong");
    name.textContent = id === IGNORE ? "ignored" : data.names[id] ?? `unknown ${id}`;
    if (id >= data.names.length) return [name];
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = `rgb(${data.colors[id].join(" ")})`;
    return [swatch, name];
  }
}
