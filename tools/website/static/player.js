// Lets an explorer answer the hand on a page without a kernel: it shows the frames that were stored when the lesson
// ran. They come as scripts, for a page that was opened from a folder may read nothing else.

const NEAR = "800px"; // how far off the screen an explorer wakes
const ELSEWHERE = "Here this one control moves. For the others, and to point into the picture, run the lesson: ";

// The frames of a parcel; see pack() in segedu/classroom/explorers/frames.py.
async function unpack(packed) {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const plain = new Uint8Array(await new Response(stream).arrayBuffer());
  const start = 4 + new DataView(plain.buffer).getUint32(0, true);
  const { items, scenes, frames, lengths } = JSON.parse(new TextDecoder().decode(plain.subarray(4, start)));
  let at = start;
  const binaries = lengths.map((length) => plain.subarray(at, (at += length)));
  const whole = items.map((item) =>
    item.kind === "cells" ? { ...item, data: binaries[item.data], palette: binaries[item.palette] } : item,
  );
  const pictures = scenes.map(([width, height, places]) => ({ width, height, items: places.map((at) => whole[at]) }));
  return frames.map(([scene, marks, words]) => ({ scene: pictures[scene], marks: marks.map((at) => whole[at]), words }));
}

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// A slider or a list, and what says its value; `move` hears the place of the value that the reader wants.
function controlOf({ name, kind, values, start }, move) {
  const label = element("label", { className: "control" }, element("span", { textContent: name }));
  if (kind === "choice") {
    const list = element("select", {}, ...values.map((text) => element("option", { textContent: text })));
    list.selectedIndex = start;
    list.addEventListener("change", () => move(list.selectedIndex));
    label.append(list);
    return label;
  }
  const slider = element("input", { type: "range", min: 0, max: values.length - 1, value: start });
  const value = element("output", {});
  function say() {
    value.textContent = values[slider.value];
    slider.setAttribute("aria-valuetext", values[slider.value]);
  }
  slider.addEventListener("input", () => {
    say();
    move(Number(slider.value));
  });
  say();
  label.append(slider, value);
  return label;
}

// Puts the control, the words and a canvas in the place of the still picture.
async function wake(figure, parcel) {
  const frames = await unpack(parcel.packed);
  const { stage, words, canvas, picture } = setUp();
  words.style.setProperty("--segedu-lines", parcel.lines);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", parcel.label);

  function show(place) {
    const { scene, marks, words: said } = frames[place];
    picture.show(scene, marks);
    words.textContent = said;
  }

  const code = element("code", { textContent: "make lab" });
  const caption = element("figcaption", {}, ELSEWHERE, code, ".");
  figure.replaceChildren(controlOf(parcel, show), stage, caption);
  document.addEventListener("segedu:theme", picture.repaint);
  show(parcel.start);
}

const asleep = new Map();

// What each file of frames calls.
window.segeduFrames = (address, parcel) => wake(asleep.get(address), parcel);

const seen = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      asleep.set(target.dataset.frames, target);
      document.head.append(element("script", { src: target.dataset.frames }));
    }
  },
  { rootMargin: NEAR },
);
if (window.DecompressionStream) document.querySelectorAll("figure[data-frames]").forEach((figure) => seen.observe(figure));
