// Paints the scenes that Python describes, on a stage of JupyterLab as on a page without a kernel.

const ROLES = {
  text: ["--jp-ui-font-color1", "#212121"],
  muted: ["--jp-ui-font-color2", "#616161"],
  border: ["--jp-border-color1", "#bdbdbd"],
  background: ["--jp-layout-color0", "#ffffff"],
};
const HOUSE = { now: "#D55E00", rest: "#0072B2" };
const HALO = "#ffffff";

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

// A canvas that shows a scene under its marks, as wide as its holder lets it be.
function easel(canvas, holder) {
  let scene = {};
  let items = [];
  let marks = [];
  let scale = 1;
  let frame = 0;

  function show(next, over) {
    if (next !== scene) {
      items = (next.items ?? []).map((item, index) =>
        item.data ? { ...item, grid: rasterise(item, items[index]?.grid) } : item,
      );
    }
    if (next !== scene || over !== marks) repaint();
    [scene, marks] = [next, over];
  }

  function repaint() {
    frame ||= requestAnimationFrame(paint);
  }

  function paint() {
    frame = 0;
    const { width = 1, height = 1 } = scene;
    scale = Math.min(1, (holder.clientWidth || width) / width);
    const density = scale * window.devicePixelRatio;
    canvas.style.width = `${width * scale}px`;
    canvas.style.height = `${height * scale}px`;
    resize(Math.round(width * density), Math.round(height * density));
    const context = canvas.getContext("2d");
    context.resetTransform();
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.scale(density, density);
    const theme = themeOf(holder);
    for (const item of [...items, ...marks]) PAINTERS[item.kind](context, item, theme);
  }

  // Only where it changes: a canvas that is given a size, even its own, is made anew.
  function resize(width, height) {
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
  }

  const resized = new ResizeObserver(repaint);
  resized.observe(holder);

  function stop() {
    cancelAnimationFrame(frame);
    resized.disconnect();
  }
  return { show, repaint, stop, items: () => items, scale: () => scale };
}

// The parts of a stage: words above a canvas, and the easel that paints it.
function setUp() {
  const [stage, words, canvas] = ["div", "div", "canvas"].map((tag) => document.createElement(tag));
  stage.className = "segedu-stage";
  words.className = "segedu-stage-words";
  words.setAttribute("aria-live", "polite");
  canvas.className = "segedu-stage-picture";
  stage.append(words, canvas);
  return { stage, words, canvas, picture: easel(canvas, stage) };
}
