// Shows the picture that Python describes and reports the cell under the hand. No arithmetic about the lesson lives here.

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const LEAP = 8; // cells that an arrow key crosses with Shift held

// A list in an explorer keeps its keys: the notebook would take the arrows, and letters, for its own and move on to
// another cell. It hears of them in the document, so they end before, in the window; the list acts on them all the same.
function keepKeys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return; // shortcuts are not ours
  if (event.target.matches?.(".segedu-explorer select")) event.stopPropagation();
}

function render({ model, el }) {
  const { stage, words, canvas, picture } = setUp();
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "picture to explore with the arrow keys");
  canvas.dataset.lmSuppressShortcuts = "true"; // the arrow keys are ours while the picture has the focus
  el.append(stage);

  const shown = { scene: {}, marks: [], words: "" };
  let late = 0;

  // Takes what differs from what is shown. Its own words it leaves alone: a screen reader would say them again.
  function show({ scene, marks, words: said }) {
    picture.show(scene, marks);
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

  const panels = () => picture.items().filter((item) => item.panel);

  function cellAt(event) {
    const [x, y] = [event.offsetX / picture.scale(), event.offsetY / picture.scale()];
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
  const themed = new MutationObserver(picture.repaint);
  themed.observe(document.body, { attributeFilter: ["data-jp-theme-name"] }); // a drag changes others
  loadLabel();
  follow();

  return () => {
    clearTimeout(late);
    window.removeEventListener("keydown", keepKeys, true);
    themed.disconnect();
    picture.stop();
    ahead.stop();
    model.off("change:scene change:marks change:words change:at", follow);
    model.off("change:label change:lines", loadLabel);
  };
}

export default { render };
