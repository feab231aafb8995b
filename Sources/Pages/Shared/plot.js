// Draws lines over two axes as SVG.
"use strict";

/**
 * A plot in a `<figure>`, as wide as that is. `draw(description)` draws it, and again whenever it is given another:
 *
 *     { label: for who can't see it,
 *       x: { ticks: [[position, text], ...] or absent, format, from, to },
 *       y: { isLog, format, from, to },               // from, to: the axis has these in it at least
 *       lines: [{ name, style: "first" ... "fourth", points: [[x, y], ...] }],   // y of null is a gap
 *       bands: [{ name, from, to }] }                 // of x, shaded
 */
class Plot {
  static height = 230;
  static margin = { left: 58, right: 12, top: 10, bottom: 24 };

  constructor(figure) {
    this.svg = Plot.element("svg", { role: "img" });
    this.legend = document.createElement("div");
    this.legend.className = "legend";
    figure.append(this.legend, this.svg);
    new ResizeObserver(() => this.redraw()).observe(figure);
    this.svg.addEventListener("pointermove", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerdown", (event) => this.point(event.offsetX));
    this.svg.addEventListener("pointerleave", () => this.point(null));
  }

  static element(name, attributes = {}, text) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  /** A line of the legend. */
  static entry(name, style) {
    const [entry, swatch] = [document.createElement("span"), document.createElement("span")];
    swatch.className = `swatch ${style}`;
    entry.append(swatch, name);
    return entry;
  }

  draw(description) {
    this.description = description;
    this.redraw();
  }

  redraw() {
    const width = this.svg.parentElement.clientWidth;
    if (!this.description || width < 80) return;
    this.width = width;
    const { label, lines, x, y, bands = [] } = this.description;
    const { left, right, top, bottom } = Plot.margin;
    const [end, floor] = [width - right, Plot.height - bottom];

    const points = lines.flatMap((line) => line.points).filter(([, y]) => y !== null && y !== undefined);
    const xs = points.map(([x]) => x);
    const known = points.map(([, y]) => y).filter((value) => !y.isLog || value > 0);
    const across = Axis.linear(least(x.from, xs, 0), greatest(x.to, xs, 1), left, end, x.ticks, 4);
    const up = y.isLog
      ? Axis.logarithmic(least(y.from, known, 1), greatest(y.to, known, 10), floor, top)
      : Axis.linear(least(y.from, known, 0), greatest(y.to, known, 1), floor, top, undefined, 5, true);
    this.across = across;

    const parts = [];
    for (const { from, to } of bands) {
      const [a, b] = [across.at(from), across.at(to)];
      parts.push(Plot.element("rect", { class: "band", x: a, y: top, width: Math.max(1, b - a), height: floor - top }));
    }
    for (const [value, text] of up.ticks) {
      const at = up.at(value);
      parts.push(Plot.element("line", { class: "grid", x1: left, x2: end, y1: at, y2: at }));
      parts.push(Plot.element("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, text ?? y.format(value)));
    }
    let free = -Infinity;
    for (const [value, text = x.format(value)] of across.ticks) {
      const [at, half] = [across.at(value), text.length * 3.2 + 3];
      const anchor = at + half > width ? "end" : at - half < left - 12 ? "start" : "middle";
      const begin = at - { start: 0, middle: half, end: 2 * half }[anchor];
      if (begin < free && value !== across.ticks[0][0]) continue;
      free = begin + 2 * half;
      parts.push(Plot.element("line", { class: "grid", x1: at, x2: at, y1: floor, y2: floor + 4 }));
      parts.push(Plot.element("text", { x: at, y: floor + 17, "text-anchor": anchor }, text));
    }
    for (const { style, points } of lines) {
      let path = "";
      let isDrawn = false;
      for (const [px, py] of points) {
        const isKnown = py !== null && py !== undefined && !(y.isLog && py <= 0);
        if (isKnown) path += `${isDrawn ? "L" : "M"}${across.at(px).toFixed(1)} ${up.at(py).toFixed(1)}`;
        isDrawn = isKnown;
      }
      parts.push(Plot.element("path", { class: `line ${style}`, d: path }));
    }
    this.cursor = Plot.element("line", { class: "cursor", y1: top, y2: floor, visibility: "hidden" });
    parts.push(this.cursor);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${Plot.height}`);
    this.svg.setAttribute("height", Plot.height);
    this.svg.setAttribute("aria-label", label);
    this.svg.replaceChildren(...parts);
    this.point(this.pointed ?? null);
  }

  /** Shows the figures where the pointer is; null: none. */
  point(offset) {
    if (!this.across) return;
    const { lines, x, y, bands = [] } = this.description;
    this.pointed = offset;
    let shown = null;
    const entries = lines.map(({ name, style, points }) => {
      const entry = Plot.entry(name, style);
      if (offset !== null && points.length > 0) {
        const near = points.reduce((best, point) =>
          Math.abs(this.across.at(point[0]) - offset) < Math.abs(this.across.at(best[0]) - offset) ? point : best);
        shown ??= near[0];
        const figure = document.createElement("b");
        figure.textContent = y.format(near[1]);
        entry.append(figure);
      }
      return entry;
    });
    entries.push(...bands.map(({ name }) => Plot.entry(name, "band")));
    if (shown !== null) {
      const where = document.createElement("span");
      where.textContent = (x.name ?? "at ") + x.format(shown);
      entries.push(where);
      this.cursor.setAttribute("x1", this.across.at(shown));
      this.cursor.setAttribute("x2", this.across.at(shown));
    }
    this.cursor.setAttribute("visibility", shown === null ? "hidden" : "visible");
    this.legend.replaceChildren(...entries);
  }
}

/** The least of some figures and a bound, if there is one; with no figures what else is said. */
function least(bound, figures, otherwise) {
  return figures.reduce((a, b) => Math.min(a, b), bound ?? (figures.length > 0 ? Infinity : otherwise));
}

/** The same, the other way round. */
function greatest(bound, figures, otherwise) {
  return figures.reduce((a, b) => Math.max(a, b), bound ?? (figures.length > 0 ? -Infinity : otherwise));
}

/** Brings figures to positions, and has ticks: [figure, text or undefined]. */
class Axis {
  constructor(at, ticks) {
    this.at = at;
    this.ticks = ticks;
  }

  /** @param isRounded whether it ends at a tick. */
  static linear(from, to, start, end, ticks, count, isRounded = false) {
    if (!(to > from)) to = from + 1;
    const raw = (to - from) / count;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
    if (isRounded) [from, to] = [Math.floor(from / step) * step, Math.ceil(to / step - 1e-9) * step];
    if (!ticks) {
      ticks = [];
      for (let index = Math.ceil(from / step - 1e-9); index * step <= to + step * 1e-6; index += 1) {
        ticks.push([Number((index * step).toPrecision(12))]);
      }
    }
    return new Axis((figure) => start + ((figure - from) / (to - from)) * (end - start), ticks);
  }

  static logarithmic(from, to, start, end) {
    const [low, high] = [Math.log10(from), Math.log10(to)];
    const factors = high - low > 3 ? [1] : high - low > 1.2 ? [1, 3] : [1, 2, 5];
    const candidates = [];
    for (let power = Math.floor(low) - 1; power <= Math.ceil(high); power += 1) {
      for (const factor of factors) candidates.push(factor * 10 ** power);
    }
    const bottom = candidates.filter((figure) => figure <= from * 1.001).at(-1);
    const top = candidates.find((figure) => figure >= to * 0.999) ?? 10 ** Math.ceil(high);
    const [first, last] = [Math.log10(bottom), Math.log10(top === bottom ? bottom * 10 : top)];
    const ticks = candidates.filter((figure) => figure >= bottom * 0.999 && figure <= 10 ** last * 1.001);
    return new Axis(
      (figure) => start + ((Math.log10(figure) - first) / (last - first)) * (end - start), ticks.map((figure) => [figure]));
  }
}
