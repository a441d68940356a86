"""What must hold of every explorer on a page: it paints what Python describes, and each word of it can be read.

``stage`` is always the stage of an explorer that the checker made and set as the one on the page is set: its scene, its
marks and its words are what a reader should see. Each check returns what is wrong, in words; nothing, if all is well.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab import Lab, Widgets

WIDTHS, TALL = (1280, 760), 1400  # of a window, in CSS pixels; tall enough for a whole explorer
THEMES = ("light", "dark")
NOW = (213, 94, 0, 255)
NEAR = 8  # of 255: edges are smoothed
LEAST_CONTRAST = 4.5  # that the WCAG asks of text on its ground

Cell = tuple[str, int, int]  # panel, row, column
Place = tuple[float, float]


def centre(explorer: Widgets, stage, cell: Cell) -> Place:
    """Where the middle of a cell lies in the picture on the page."""
    panel, row, col = cell
    item = panels_of(stage)[panel]
    (x, y, width, height), (rows, cols) = item["box"], item["shape"]
    scale = _scale(explorer, stage)
    return scale * (x + (col + 0.5) / cols * width), scale * (y + (row + 0.5) / rows * height)


def corners(stage) -> list[Cell]:
    """The first and the last cell of each panel."""
    shapes = {name: panel["shape"] for name, panel in panels_of(stage).items()}
    return [cell for name, (rows, cols) in shapes.items() for cell in ((name, 0, 0), (name, rows - 1, cols - 1))]


def mispainted(explorer: Widgets, stage, cells: Iterable[Cell]) -> list[str]:
    """Cells that the page paints in another colour than the scene, and marks that it lacks.

    Of grids that lie over one another the colour would be a mixture: ask for cells where there is one.
    """
    cells = list(cells)
    places = [centre(explorer, stage, cell) for cell in cells]
    expected = [_colour(panels_of(stage)[panel], row, col) for panel, row, col in cells]
    found = [
        f"{cell} is {shown}, expected {colour}"
        for cell, shown, colour in zip(cells, explorer.colours(places), expected, strict=True)
        if not _near(shown, colour)
    ]
    scale = _scale(explorer, stage)
    marked = [(scale * x, scale * y) for mark in stage.marks for x, y in _on(mark)]
    shown_there = zip(marked, explorer.colours(marked), strict=True)
    return found + [f"no mark at {place} but {shown}" for place, shown in shown_there if not _near(shown, NOW)]


def _on(mark: dict[str, Any]) -> Iterator[Place]:
    """A place that a mark paints vermilion and that no other kind of mark is drawn over, if there is one."""
    if mark["kind"] == "ring":
        yield mark["at"][0] - mark["radius"], mark["at"][1]
    elif mark["kind"] == "rectangle":
        x, y, width, height = mark["box"]
        if mark["fill"] == "now":
            yield x + width / 2, y + height / 2
        elif mark["stroke"] == "now" and mark["halo"]:
            yield x, y + height / 2
    elif mark["kind"] == "line" and mark["stroke"] == "now":
        (left, top), (right, bottom) = mark["points"]
        yield (3 * left + right) / 4, (3 * top + bottom) / 4


def panels_of(stage) -> dict[str, dict[str, Any]]:
    """The items of the scene that have cells to point at, by their names."""
    return {item["panel"]: item for item in stage.scene["items"] if item.get("panel")}


def _colour(panel: dict[str, Any], row: int, col: int) -> tuple[int, ...]:
    index = panel["data"][row * panel["shape"][1] + col]
    return tuple(panel["palette"][4 * index : 4 * index + 4])


def _scale(explorer: Widgets, stage) -> float:
    """How large the picture is on the page, which a narrow one shrinks."""
    return explorer.picture.bounding_box()["width"] / stage.scene["width"]


def _near(shown: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return all(abs(one - other) <= NEAR for one, other in zip(shown, expected, strict=True))


def unreadable(lab: Lab, explorer: Widgets, stage, cells: Iterable[Cell], shots: Path) -> list[str]:
    """What a reader cannot read or see in either theme, in a window of either width.

    That is: text that is cut off, too pale or off the page, words on more lines than they have, and what `mispainted`
    finds in ``cells``. Of each look a screenshot is saved as ``shots``, with theme and width after its name.
    """
    found, cells = [], list(cells)
    before = lab.page.viewport_size
    for width in WIDTHS:
        lab.page.set_viewport_size({"width": width, "height": TALL})
        for theme in THEMES:
            lab.theme(theme)
            faults = explorer.part.evaluate(UNREADABLE, [theme, LEAST_CONTRAST])
            faults += mispainted(explorer, stage, cells)
            found += [f"{fault} ({theme}, {width} px)" for fault in faults]
            explorer.screenshot(shots.with_name(f"{shots.name}_{theme}_{width}.png"))
    lab.theme(THEMES[0])
    lab.page.set_viewport_size(before)
    return found


def words_of(stage) -> dict[str, Any]:
    """All words of an explorer as it stands: those above its picture, and those in it with their places."""
    texts = [item for item in [*stage.scene["items"], *stage.marks] if item["kind"] == "text"]
    return {"words": stage.words, "texts": texts, "size": [stage.scene["width"], stage.scene["height"]]}


def crowded(lab: Lab, explorer: Widgets, shown: Iterable[dict[str, Any]]) -> list[str]:
    """Words, of `words_of` each, that have too little room in the page's own font.

    In the picture they may neither leave it nor touch others, though a plate may cover what is under it; above it they
    may take no more lines than there are for them, lest the picture moves, in the narrower window.
    """
    before = lab.page.viewport_size
    lab.page.set_viewport_size(before | {"width": min(WIDTHS)})
    found = explorer.part.evaluate(CROWDED, list(shown))
    lab.page.set_viewport_size(before)
    return found


def tab_stops(explorer: Widgets) -> list[str]:
    """What the Tab key comes to, from the explorer's first control to its last, by label, text or icon."""
    explorer.part.locator("[tabindex='0'], select, button").first.focus()
    stops: list[str] = []
    while name := explorer.part.evaluate(FOCUSED):
        if name not in stops[-1:]:  # a slider's number follows its handle
            stops.append(name)
        explorer.page.keyboard.press("Tab")
    return stops


CROWDED = """(part, shown) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d");
  const boxOf = ({ at: [x, y], text, size, align }) => {
    Object.assign(context, { font: `${size}px ${fontFamily}`, textAlign: align, textBaseline: "middle" });
    const ink = context.measureText(text);
    return {
      left: x - ink.actualBoundingBoxLeft, right: x + ink.actualBoundingBoxRight,
      top: y - ink.actualBoundingBoxAscent, bottom: y + ink.actualBoundingBoxDescent,
    };
  };
  const touch = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const line = part.querySelector(".segedu-stage-words");
  const { fontFamily, minHeight } = getComputedStyle(line);
  const trial = line.parentElement.appendChild(line.cloneNode());
  trial.style.cssText = `position: absolute; visibility: hidden; min-height: 0; width: ${line.clientWidth}px`;
  const found = new Set();
  for (const { texts, size: [width, height], words } of shown) {
    const boxes = texts.map(boxOf);
    for (const [i, { text, plate }] of texts.entries()) {
      const { left, top, right, bottom } = boxes[i];
      if (left < 0 || top < 0 || right > width || bottom > height) found.add(`outside: ${text}`);
      for (let j = 0; j < i; j++) {
        if (texts[j].plate === plate && touch(boxes[i], boxes[j])) found.add(`touching: ${texts[j].text}, ${text}`);
      }
    }
    trial.textContent = words;
    if (trial.clientHeight > parseFloat(minHeight) + 1) found.add(`too many lines: ${words}`);
  }
  trial.remove();
  return [...found];
}"""

UNREADABLE = """(part, [theme, least]) => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const over = ([r, g, b, a = 1], ground) => [r, g, b].map((one, i) => a * one + (1 - a) * ground[i]);
  const groundOf = (element) => {
    if (!element) return [255, 255, 255];
    const colour = channels(getComputedStyle(element).backgroundColor);
    return (colour[3] ?? 1) === 1 ? colour : over(colour, groundOf(element.parentElement));
  };
  const luminance = (colour) => colour
    .map((one) => (one <= 10 ? one / 3295 : ((one / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const found = [];
  const ground = groundOf(part);
  if (luminance(ground) > 0.5 !== (theme === "light")) found.push(`the background is ${ground}`);
  const words = part.querySelector(".segedu-stage-words");
  const canvas = part.querySelector("canvas.segedu-stage-picture");
  const texts = [...part.querySelectorAll(".widget-label, .widget-readout, .jupyter-button, select"), words];
  const page = part.closest(".jp-OutputArea-output").getBoundingClientRect();
  for (const element of [...texts, canvas].filter((element) => element.offsetParent)) {
    const { left, right } = element.getBoundingClientRect();
    const name = element.textContent.slice(0, 60) || element.className;
    if (left < page.left - 1 || right > page.right + 1) found.push(`off the page: ${name}`);
    if (element.scrollWidth > element.clientWidth) found.push(`cut off: ${name}`);
    const ratio = contrast(over(channels(getComputedStyle(element).color), groundOf(element)), groundOf(element));
    if (ratio < least && !element.disabled) found.push(`contrast of ${ratio.toFixed(1)}: ${name}`);
  }
  if (words.clientHeight > parseFloat(getComputedStyle(words).minHeight) + 1) found.push("words on too many lines");
  const title = canvas.getContext("2d").getImageData(0, 0, canvas.width, Math.round(canvas.height / 20)).data;
  let best = 0;
  for (let i = 0; i < title.length; i += 4) {
    if (title[i + 3] > 200) best = Math.max(best, contrast([...title.slice(i, i + 3)], ground));
  }
  if (best < least) found.push(`contrast of ${best.toFixed(1)} at the top of the picture`);
  return found;
}"""

FOCUSED = """(part) => {
  const here = document.activeElement;
  if (!part.contains(here)) return "";
  if (here.matches("canvas")) return "the picture";
  const icon = here.querySelector("i")?.className.replace("fa fa-", "");
  return icon || here.closest(".jupyter-widgets").querySelector(".widget-label")?.textContent || here.textContent;
}"""
