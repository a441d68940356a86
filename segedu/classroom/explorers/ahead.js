// Pictures that are here before the hand asks for them. While a slider has the pointer or the focus, the page asks the
// kernel, a few at a time and the nearest first, for the pictures at that slider's other values. A move that finds its
// picture here is drawn in the next frame; the kernel's own answer, a round trip later, brings the same.

const REACH = 32; // steps of a slider, to either side
const BATCH = 6; // pictures asked for at once: a move that finds none waits until the kernel has made them
const QUIET = 80; // ms without a move before more is asked for
const PATIENCE = 1000; // ms after a move from which the kernel's answer counts, whatever it is of
const TURN = 20; // ms between two looks whether it is a button's turn
const LONGEST = 5000; // ms after a move from which a button waits no more

// Calls draw({ scene, marks, words }) for a move whose picture is here. Returns standing() and stop().
function lookAhead(model, stage, draw) {
  const listening = new AbortController();
  const pictures = new Map(); // of the slider under the hand, by its value
  let sliders = [];
  let near = -1; // the slider under the hand
  let waiting = false;
  let more = true; // whether they are made fast enough to keep no move waiting
  let led = null; // the sliders' values when a picture from here was drawn, until the kernel has answered
  let moved = -PATIENCE;
  let turn = 0;
  let timer = 0;

  const keyOf = (value) => Number(value.toFixed(9)); // 0.1 + 0.2 is a slider's 0.3
  const pointing = () => model.get("hovered") !== null; // then marks and words are of the cell under the pointer

  const values = () => sliders.map((slider) => slider.get("value"));
  const differ = (some, others) => some.some((value, place) => value !== others[place]);

  // What the kernel's answer is to what is drawn: "old", for the hand has moved on since; the "same"; or "new".
  function standing() {
    if (!led || performance.now() > moved + PATIENCE) return "new";
    if (differ(values(), model.get("at"))) return "old";
    const same = !differ(values(), led);
    led = null;
    return same ? "same" : "new";
  }

  const isHere = (element) => stage.closest(".segedu-explorer")?.contains(element);

  function placeOf(target) {
    const holder = target.closest?.("[class*=segedu-slider-]");
    return holder && isHere(holder) ? Number(/segedu-slider-(\d+)/.exec(holder.className)[1]) : -1;
  }

  // A press of a button goes out at once, but of a slider's moves the later ones wait until the kernel has taken the
  // first. So the button waits as well: it would overtake them, and a move would come after the Reset that follows it.
  function takeTurns(event) {
    const button = event.target.closest?.("button");
    if (!button || !isHere(button) || !differ(values(), model.get("at"))) return;
    if (performance.now() > moved + LONGEST) return;
    event.stopPropagation();
    setTimeout(() => button.click(), TURN);
  }

  function attend(place) {
    if (place === near) return;
    near = place;
    pictures.clear();
    more = true;
    askSoon();
  }

  function move(place) {
    moved = performance.now();
    if (placeOf(document.activeElement) === place) attend(place);
    const picture = place === near && !pointing() && pictures.get(keyOf(sliders[place].get("value")));
    if (picture) {
      led = values();
      draw(picture);
    }
    askSoon();
  }

  function askSoon() {
    clearTimeout(timer);
    timer = setTimeout(ask, Math.max(0, moved + QUIET - performance.now()));
  }

  function ask() {
    if (!sliders[near] || waiting || !more || pointing()) return;
    const wanted = missing().slice(0, BATCH);
    if (!wanted.length) return;
    waiting = true;
    model.set("ask", { turn: ++turn, slider: near, values: wanted });
    model.save_changes();
  }

  // The values whose picture is not here, the nearest first.
  function missing() {
    const [value, min, max, step] = ["value", "min", "max", "step"].map((name) => sliders[near].get(name));
    const places = Array.from({ length: REACH }, (_, steps) => [steps + 1, -steps - 1]).flat();
    const others = [0, ...places].map((steps) => keyOf(value + steps * step));
    return others.filter((other) => other >= min && other <= max && !pictures.has(other));
  }

  function receive() {
    const came = model.get("ahead");
    if (came.slider === near) {
      for (const picture of came.pictures) pictures.set(keyOf(picture.value), picture);
      more = came.more;
    } else if (came.slider === null) {
      pictures.clear(); // something else has changed, and with it every picture
      led = null;
    }
    waiting &&= came.slider === null;
    askSoon();
  }

  const options = { capture: true, signal: listening.signal };
  window.addEventListener("focusin", ({ target }) => attend(placeOf(target)), options);
  window.addEventListener("pointerdown", ({ target }) => attend(placeOf(target)), options);
  window.addEventListener("pointerover", ({ target, buttons }) => {
    const place = buttons ? -1 : placeOf(target); // a slider that is dragged stays the one
    if (place >= 0) attend(place);
  }, options);
  window.addEventListener("click", takeTurns, options);
  model.on("change:ahead", receive);
  const moves = [];
  const found = model.get("sliders").map((name) => model.widget_manager.get_model(name.replace("IPY_MODEL_", "")));
  Promise.all(found).then((models) => {
    if (listening.signal.aborted) return;
    sliders = models;
    sliders.forEach((slider, place) => slider.on("change:value", (moves[place] = () => move(place))));
    askSoon();
  });

  function stop() {
    listening.abort();
    clearTimeout(timer);
    model.off("change:ahead", receive);
    sliders.forEach((slider, place) => slider.off("change:value", moves[place]));
  }
  return { standing, stop };
}
