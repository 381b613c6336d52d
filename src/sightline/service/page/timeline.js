// When each track is in the picture: a row per track, and where playback is.

import { make, setText } from "./element.js";
import { colorOf } from "./palette.js";
import { clock } from "./text.js";
import { VirtualList } from "./virtual_list.js";

const ROW_PX = 22;
const SHORTEST_PERCENT = 0.4;

export class Timeline {
  #list;
  #axis;
  #duration;

  /**
   * @param {HTMLElement} box
   * @param {HTMLElement} axis around all that shares the axis of time; `--at` is where playback is
   * @param {{duration: () => number, onPick: (track: object, time: number) => void}} settings
   */
  constructor(box, axis, { duration, onPick }) {
    this.#axis = axis;
    this.#duration = duration;
    this.#list = new VirtualList(box, {
      rowPx: ROW_PX,
      makeRow: () =>
        make("div", { class: "lane" }, make("span", { class: "lane-name" }), make("span", { class: "lane-track" }, make("i", {}))),
      showRow: (row, track) => this.#showRow(row, track),
      onActivate: (track, event) => onPick(track, this.#moment(track, event)),
    });
    const measure = () => axis.style.setProperty("--bar", `${box.offsetWidth - box.clientWidth}px`);
    new ResizeObserver(measure).observe(box);
  }

  set(tracks) {
    this.#list.set(tracks);
  }

  refresh() {
    this.#list.refresh();
  }

  reveal(at) {
    this.#list.reveal(at);
  }

  /** Move the mark to a time, in seconds. */
  mark(time) {
    const duration = this.#duration();
    this.#axis.style.setProperty("--at", String(duration > 0 ? Math.min(time / duration, 1) : 0));
  }

  #showRow(row, track) {
    const [name, lane] = row.children;
    const bar = lane.firstChild;
    const duration = this.#duration() || 1;
    const left = (track.first_s / duration) * 100;
    const width = Math.max(((track.last_s - track.first_s) / duration) * 100, SHORTEST_PERCENT);
    setText(name, `${track.track_id} ${track.class}`);
    bar.style.left = `${Math.min(left, 100 - SHORTEST_PERCENT)}%`;
    bar.style.width = `${Math.min(width, 100 - left)}%`;
    bar.style.background = colorOf(track.track_id);
    row.classList.toggle("chosen", track.chosen === true);
    row.setAttribute(
      "aria-label",
      `Track ${track.track_id}, ${track.class}, from ${clock(track.first_s)} to ${clock(track.last_s)}`,
    );
  }

  /** The time that was clicked at, within the track; by keyboard its beginning. */
  #moment(track, event) {
    const lane = event.target.closest?.(".lane")?.querySelector(".lane-track");
    if (event.type !== "click" || !lane) return track.first_s;
    const { left, width } = lane.getBoundingClientRect();
    const time = ((event.clientX - left) / width) * this.#duration();
    return Math.min(Math.max(time, track.first_s), track.last_s);
  }
}
