// How many objects of each class are seen over time: a small chart per class, and a table.

import { draw, make } from "./element.js";
import { clock, count } from "./text.js";

const WIDTH = 1000;
const HEIGHT = 36;
const MOST_TABLE_ROWS = 60;

export class Counts {
  #element;
  #table;
  #duration;
  #onSeek;
  #bins = [];

  /**
   * @param {HTMLElement} element takes the charts
   * @param {HTMLTableElement} table
   * @param {{duration: () => number, onSeek: (share: number) => void}} settings
   *   `onSeek`: told where on the time axis a chart was clicked, 0 to 1
   */
  constructor(element, table, { duration, onSeek }) {
    this.#element = element;
    this.#table = table;
    this.#duration = duration;
    this.#onSeek = onSeek;
  }

  /** @param {{start_s: number, end_s: number, most: object}[]} bins `most`: by name of the class */
  show(bins) {
    this.#bins = bins;
    this.refresh();
  }

  /** Draw anew, because the axis of time is another. */
  refresh() {
    const bins = this.#bins;
    const duration = this.#duration();
    const rows = classesOf(bins)
      .map((name) => ({ name, peak: Math.max(...bins.map((bin) => bin.most[name] ?? 0)) }))
      .sort((a, b) => b.peak - a.peak);
    this.#element.replaceChildren(...rows.map((row) => this.#chart(row, bins, duration)));
    this.#fillTable(rows, bins);
  }

  #chart({ name, peak }, bins, duration) {
    const label = `${name}: at most ${peak} at once`;
    const svg = draw(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      draw("path", { d: outline(bins, { name, peak, duration }), class: "area" }),
    );
    svg.addEventListener("click", (event) => {
      const { left, width } = svg.getBoundingClientRect();
      this.#onSeek((event.clientX - left) / width);
    });
    return make(
      "div",
      { class: "count-row" },
      make("span", { class: "lane-name" }, name, make("small", {}, `max ${count(peak)}`)),
      svg,
    );
  }

  #fillTable(rows, bins) {
    const step = Math.max(Math.ceil(bins.length / MOST_TABLE_ROWS), 1);
    const head = make("tr", {}, make("th", { scope: "col" }, "Time"), ...rows.map(({ name }) => make("th", { scope: "col" }, name)));
    const body = [];
    for (let at = 0; at < bins.length; at += step) {
      const some = bins.slice(at, at + step);
      const most = ({ name }) => Math.max(...some.map((bin) => bin.most[name] ?? 0));
      body.push(
        make(
          "tr",
          {},
          make("th", { scope: "row" }, `${clock(some[0].start_s)} – ${clock(some.at(-1).end_s)}`),
          ...rows.map((row) => make("td", {}, count(most(row)))),
        ),
      );
    }
    this.#table.replaceChildren(
      make("caption", {}, "Most objects in one frame, by class and time"),
      make("thead", {}, head),
      make("tbody", {}, ...body),
    );
  }
}

/** The names of all classes that occur. */
export const classesOf = (bins) => [...new Set(bins.flatMap((bin) => Object.keys(bin.most)))];

/** The outline of steps, bin by bin, closed along the bottom. */
function outline(bins, { name, peak, duration }) {
  const x = (time) => Math.min((time / (duration || 1)) * WIDTH, WIDTH).toFixed(1);
  const y = (value) => (HEIGHT - (value / peak) * (HEIGHT - 2)).toFixed(1);
  const steps = bins.map((bin) => {
    const level = y(bin.most[name] ?? 0);
    return `L${x(bin.start_s)} ${level}L${x(bin.end_s)} ${level}`;
  });
  const [first, last] = [bins[0]?.start_s ?? 0, bins.at(-1)?.end_s ?? 0];
  return `M${x(first)} ${HEIGHT}${steps.join("")}L${x(last)} ${HEIGHT}Z`;
}
