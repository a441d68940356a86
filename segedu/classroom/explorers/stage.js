// Paints the scene that Python describes and reports the cell under the hand. No arithmetic about the lesson lives here.

const ROLES = {
  text: ["--jp-ui-font-color1", "#212121"],
  muted: ["--jp-ui-font-color2", "#616161"],
  border: ["--jp-border-color1", "#bdbdbd"],
  background: ["--jp-layout-color0", "#ffffff"],
};
const HOUSE = { now: "#D55E00", rest: "#0072B2" };
const HALO = "#ffffff";
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const LEAP = 8; // cells that an arrow key crosses with Shift held

// The reader's theme: what each role of colour is now, and the interface's own font.
function themeOf(element) {
  const style = getComputedStyle(element);
  const inks = { ...HOUSE };
  for (const [role, [variable, fallback]] of Object.entries(ROLES)) {
    inks[role] = style.getPropertyValue(variable).trim() || fallback;
  }
  return { ink: (colour) => inks[colour] ?? colour, family: style.fontFamily };
}

// A grid of cells as a small canvas, one pixel a cell, stretched when it is painted. What showed the grid before it
// serves again if it fits: making a canvas takes longer than filling one.
function rasterise({ shape: [rows, cols], data, palette }, former) {
  const source = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const pixels = new ImageData(cols, rows);
  const rgba = pixels.data;
  if (palette) {
    const colours = new Uint32Array(palette.buffer.slice(palette.byteOffset, palette.byteOffset + palette.byteLength));
    const flat = new Uint32Array(rgba.buffer);
    for (let i = 0; i < source.length; i++) flat[i] = colours[source[i]];
  } else {
    rgba.fill(255);
    for (let i = 0, j = 0; i < source.length; j++) {
      rgba[j++] = source[i++];
      rgba[j++] = source[i++];
      rgba[j++] = source[i++];
    }
  }
  const grid = former?.width === cols && former?.height === rows ? former : new OffscreenCanvas(cols, rows);
  grid.getContext("2d").putImageData(pixels, 0, 0);
  return grid;
}

function stroke(context, item, ink, path) {
  for (const [colour, extra] of item.halo ? [[HALO, 3], [ink(item.stroke), 0]] : [[ink(item.stroke), 0]]) {
    context.beginPath();
    path();
    context.strokeStyle = colour;
    context.lineWidth = item.width + extra;
    context.stroke();
  }
}

const PAINTERS = {
  cells(context, { box: [x, y, width, height], grid, shape: [rows, cols] }) {
    context.imageSmoothingEnabled = cols > width || rows > height;
    context.drawImage(grid, x, y, width, height);
  },
  rectangle(context, item, { ink }) {
    if (item.fill) {
      context.fillStyle = ink(item.fill);
      context.fillRect(...item.box);
    }
    if (item.stroke) stroke(context, item, ink, () => context.rect(...item.box));
  },
  line(context, item, { ink }) {
    stroke(context, item, ink, () => item.points.forEach(([x, y]) => context.lineTo(x, y)));
  },
  ring(context, item, { ink }) {
    stroke(context, { ...item, halo: true }, ink, () => context.arc(...item.at, item.radius, 0, 2 * Math.PI));
  },
  text(context, { at: [x, y], text, fill, size, align, plate }, { ink, family }) {
    context.font = `${size}px ${family}`;
    context.textAlign = align;
    context.textBaseline = "middle";
    if (plate) {
      const width = context.measureText(text).width + 8;
      const left = x - { left: 4, center: width / 2, right: width - 4 }[align];
      context.beginPath();
      context.roundRect(left, y - 0.65 * size, width, 1.3 * size, 3);
      context.fillStyle = ink("background");
      context.fill();
      context.strokeStyle = ink("border");
      context.lineWidth = 1;
      context.stroke();
    }
    context.fillStyle = ink(fill);
    context.fillText(text, x, y);
  },
};

// A list in an explorer keeps its keys: the notebook would take the arrows, and letters, for its own and move on to
// another cell. It hears of them in the document, so they end before, in the window; the list acts on them all the same.
function keepKeys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return; // shortcuts are not ours
  if (event.target.matches?.(".segedu-explorer select")) event.stopPropagation();
}

function render({ model, el }) {
  const stage = document.createElement("div");
  stage.className = "segedu-stage";
  const words = document.createElement("div");
  words.className = "segedu-stage-words";
  words.setAttribute("aria-live", "polite");
  const canvas = document.createElement("canvas");
  canvas.className = "segedu-stage-picture";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "picture to explore with the arrow keys");
  canvas.dataset.lmSuppressShortcuts = "true"; // the arrow keys are ours while the picture has the focus
  stage.append(words, canvas);
  el.append(stage);

  const shown = { scene: {}, marks: [], words: "" };
  let items = [];
  let scale = 1;
  let frame = 0;
  let late = 0;

  // Takes what differs from what is shown. Its own words it leaves alone: a screen reader would say them again.
  function show({ scene, marks, words: said }) {
    if (scene !== shown.scene) {
      items = (scene.items ?? []).map((item, index) =>
        item.data ? { ...item, grid: rasterise(item, items[index]?.grid) } : item,
      );
    }
    if (scene !== shown.scene || marks !== shown.marks) requestPaint();
    if (said !== shown.words) words.textContent = said;
    Object.assign(shown, { scene, marks, words: said });
  }

  function follow() {
    const answer = { scene: model.get("scene"), marks: model.get("marks"), words: model.get("words") };
    const standing = ahead.standing();
    if (standing === "new") show(answer);
    if (standing === "same") Object.assign(shown, answer);
    clearTimeout(late);
    if (standing === "old") late = setTimeout(follow, PATIENCE); // if no newer one comes, this one counts
  }

  function loadLabel() {
    words.style.setProperty("--segedu-lines", model.get("lines"));
    canvas.setAttribute("aria-label", model.get("label"));
  }

  function requestPaint() {
    frame ||= requestAnimationFrame(paint);
  }

  function paint() {
    frame = 0;
    const { width = 1, height = 1 } = shown.scene;
    scale = Math.min(1, (stage.clientWidth || width) / width);
    const density = scale * window.devicePixelRatio;
    canvas.style.width = `${width * scale}px`;
    canvas.style.height = `${height * scale}px`;
    resize(Math.round(width * density), Math.round(height * density));
    const context = canvas.getContext("2d");
    context.resetTransform();
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.scale(density, density);
    const theme = themeOf(stage);
    for (const item of [...items, ...shown.marks]) PAINTERS[item.kind](context, item, theme);
  }

  // Only where it changes: a canvas that is given a size, even its own, is made anew.
  function resize(width, height) {
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
  }

  const panels = () => items.filter((item) => item.panel);

  function cellAt(event) {
    const [x, y] = [event.offsetX / scale, event.offsetY / scale];
    const panel = panels().find(({ box }) => x >= box[0] && x < box[0] + box[2] && y >= box[1] && y < box[1] + box[3]);
    if (!panel) return null;
    const [left, top, width, height] = panel.box;
    return cellOf(panel, (y - top) / height, (x - left) / width);
  }

  // The cell of a panel that lies a fraction down and right of its corner.
  function cellOf({ panel, shape: [rows, cols] }, down, right) {
    const inside = (fraction, count) => Math.max(0, Math.min(count - 1, Math.floor(fraction * count)));
    return { panel, row: inside(down, rows), col: inside(right, cols) };
  }

  const same = (a, b) => a?.panel === b?.panel && a?.row === b?.row && a?.col === b?.col;

  function report(trait, cell) {
    if (same(model.get(trait), cell)) return;
    model.set(trait, cell);
    model.save_changes();
  }

  function keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return; // shortcuts are not ours
    const pinned = model.get("pinned");
    const all = panels();
    const here = Math.max(0, all.findIndex(({ panel }) => panel === pinned?.panel));
    const turn = { PageUp: -1, PageDown: 1 }[event.key];
    let next;
    if (event.key === "Escape" && pinned) {
      next = null;
    } else if (all.length && (event.key in ARROWS || turn)) {
      const panel = all[(here + (turn ?? 0) + all.length) % all.length];
      const [rows, cols] = all[here].shape;
      const [down, right] = (ARROWS[event.key] ?? [0, 0]).map((step) => step * (event.shiftKey ? LEAP : 1));
      next = pinned
        ? cellOf(panel, (pinned.row + down + 0.5) / rows, (pinned.col + right + 0.5) / cols)
        : cellOf(panel, 0.5, 0.5);
    } else {
      return; // every other key belongs to the notebook
    }
    event.preventDefault();
    event.stopPropagation();
    report("pinned", next);
  }

  canvas.addEventListener("pointermove", (event) => report("hovered", cellAt(event)));
  canvas.addEventListener("pointerleave", () => report("hovered", null));
  canvas.addEventListener("click", (event) => {
    const cell = cellAt(event);
    report("pinned", same(cell, model.get("pinned")) ? null : cell);
  });
  canvas.addEventListener("keydown", keyed);
  window.addEventListener("keydown", keepKeys, true);

  const ahead = lookAhead(model, stage, show);
  model.on("change:scene change:marks change:words change:at", follow);
  model.on("change:label change:lines", loadLabel);
  const resized = new ResizeObserver(requestPaint);
  resized.observe(stage);
  const themed = new MutationObserver(requestPaint);
  themed.observe(document.body, { attributeFilter: ["data-jp-theme-name"] }); // a drag changes others
  loadLabel();
  follow();

  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(late);
    window.removeEventListener("keydown", keepKeys, true);
    resized.disconnect();
    themed.disconnect();
    ahead.stop();
    model.off("change:scene change:marks change:words change:at", follow);
    model.off("change:label change:lines", loadLabel);
  };
}

export default { render };
