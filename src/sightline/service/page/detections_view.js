// The detections of a job as a list that loads as it is scrolled.

import { byId, make, setText } from "./element.js";
import { colorOf } from "./palette.js";
import { clock, share } from "./text.js";
import { Trouble } from "./trouble.js";
import { VirtualList } from "./virtual_list.js";

const ROW_PX = 30;
const PAGE = 200;

export class DetectionsView {
  #results;
  #list;
  #cursor = null;
  #more = false;
  #query = { track: null, classes: [] };
  #loading = null;
  #trouble;
  #onChange;

  /**
   * @param {import("./results.js").Results} results
   * @param {{onPick: (found: object) => void, onChange: (loaded: number, more: boolean) => void}} to
   */
  constructor(results, { onPick, onChange }) {
    this.#results = results;
    this.#onChange = onChange;
    this.#trouble = new Trouble("detections", {
      again: () => this.#load(),
      focus: () => byId("detection-rows"),
    });
    this.#list = new VirtualList(byId("detection-rows"), {
      rowPx: ROW_PX,
      makeRow: () => make("div", { class: "row detection-row" }, ...Array.from({ length: 5 }, () => make("span", {}))),
      showRow: showDetection,
      onActivate: onPick,
      onEnd: () => this.#trouble.told || this.#load(),
    });
  }

  /** Begin anew with other detections. */
  set(query) {
    this.#loading?.abort();
    this.#loading = null;
    this.#query = query;
    this.#cursor = null;
    this.#more = true;
    this.#list.set([]);
    this.#load();
  }

  /** Fetch the next page, if there is one and none is on its way. */
  async #load() {
    if (!this.#more || this.#loading !== null) return;
    this.#trouble.wait();
    const loading = (this.#loading = new AbortController());
    try {
      const page = await this.#results.detections({ ...this.#query, cursor: this.#cursor, limit: PAGE }, loading.signal);
      if (loading !== this.#loading) return;
      this.#cursor = page.next_cursor ?? null;
      this.#more = this.#cursor !== null;
      this.#loading = null;
      this.#trouble.clear();
      this.#list.set([...this.#list.items, ...page.detections]);
    } catch (problem) {
      if (loading !== this.#loading) return;
      this.#loading = null;
      this.#trouble.tell(problem);
    }
    this.#onChange(this.#list.items.length, this.#more);
  }
}

function showDetection(row, found) {
  const [swatch, time, object, box, confidence] = row.children;
  const tracked = found.track_id >= 0 && found.track_id !== null;
  swatch.className = "swatch";
  swatch.style.background = colorOf(tracked ? found.track_id : found.class_id);
  const name = tracked ? `${found.track_id} ${found.class}` : found.class;
  setText(time, clock(found.time_s, 2));
  setText(object, name);
  const [x1, y1, x2, y2] = found.box.map(Math.round);
  setText(box, `${x1}, ${y1}  ${x2 - x1} × ${y2 - y1}`);
  setText(confidence, share(found.confidence));
  row.setAttribute("aria-label", `${name} at ${clock(found.time_s, 2)}, confidence ${share(found.confidence)}`);
}
