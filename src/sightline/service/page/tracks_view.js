// The tracks of a job, searched: as rows of the timeline and as a list.

import { byId, make, setHidden, setText } from "./element.js";
import { colorOf } from "./palette.js";
import { clock, count, plural, share, span } from "./text.js";
import { Timeline } from "./timeline.js";
import { VirtualList } from "./virtual_list.js";

const ROW_PX = 34;

export class TracksView {
  #tracks = [];
  #shown = [];
  #search = "";
  #timeline;
  #list;
  #onPick;
  #chosen = null;

  /**
   * @param {{duration: () => number, onPick: (track: object | null, time?: number) => void}}
   *   settings `onPick`: told which track was chosen, and where to go; null: none any more
   */
  constructor({ duration, onPick }) {
    this.#onPick = onPick;
    const pick = (track, time) => this.#pick(track, time);
    this.#timeline = new Timeline(byId("timeline"), byId("axis"), { duration, onPick: pick });
    this.#list = new VirtualList(byId("track-rows"), {
      rowPx: ROW_PX,
      makeRow: () => make("div", { class: "row track-row" }, ...Array.from({ length: 5 }, () => make("span", {}))),
      showRow: showTrack,
      onActivate: (track) => (track.chosen ? this.clear() : pick(track, track.first_s)),
    });
  }

  set(tracks) {
    this.#tracks = tracks;
    this.search(this.#search);
  }

  /** Show the tracks of that number or class only; return how many. */
  search(text) {
    this.#search = text;
    const wanted = matcher(text);
    this.#shown = this.#tracks.filter(wanted);
    for (const track of this.#shown) track.chosen = track.track_id === this.#chosen;
    this.#timeline.set(this.#shown);
    this.#list.set(this.#shown);
    const [all, some] = [this.#tracks.length, this.#shown.length];
    setText(byId("timeline-hint"), text ? `${count(some)} of ${plural(all, "track")}` : plural(all, "track"));
    setHidden(byId("timeline"), some === 0);
    setHidden(byId("timeline-empty"), some > 0);
    setText(byId("timeline-empty"), all > 0 ? "No track fits the search." : "No tracks.");
    return { all, some };
  }

  /** Draw the timeline anew, because its axis is another. */
  refresh() {
    this.#timeline.refresh();
  }

  mark(time) {
    this.#timeline.mark(time);
  }

  /** Choose no track any more. */
  clear() {
    if (this.#chosen === null) return;
    this.#choose(null);
    this.#onPick(null);
  }

  #pick(track, time) {
    this.#choose(track.track_id);
    const at = this.#shown.indexOf(track);
    this.#timeline.reveal(at);
    this.#list.reveal(at);
    this.#onPick(track, time);
  }

  #choose(id) {
    this.#chosen = id;
    for (const one of this.#shown) one.chosen = one.track_id === id;
    this.#timeline.refresh();
    this.#list.refresh();
  }
}

/** The track that a search means: one that is a number and nothing else, with or without "#". */
export function trackOf(text) {
  const number = /^#?(\d+)$/.exec(text.trim());
  // What is beyond all numbers of tracks is no track, and the server would refuse it.
  return number !== null && Number.isSafeInteger(Number(number[1])) ? Number(number[1]) : null;
}

/** A test for tracks: a number means the track; else every word is part of the class. */
export function matcher(text) {
  const number = trackOf(text);
  if (number !== null) return (track) => track.track_id === number;
  const words = text.trim().toLowerCase().split(/\s+/).filter((word) => word !== "");
  return (track) => words.every((word) => track.class.toLowerCase().includes(word));
}

function showTrack(row, track) {
  const [swatch, name, seen, frames, confidence] = row.children;
  swatch.className = "swatch";
  swatch.style.background = colorOf(track.track_id);
  setText(name, `${track.track_id} ${track.class}`);
  setText(seen, `${clock(track.first_s)} – ${clock(track.last_s)}`);
  setText(frames, count(track.frames));
  setText(confidence, share(track.confidence_mean));
  row.classList.toggle("chosen", track.chosen === true);
  row.setAttribute(
    "aria-label",
    `Track ${track.track_id}, ${track.class}, from ${clock(track.first_s)} for ${span(track.last_s - track.first_s)}, ` +
      `${plural(track.frames, "frame")}, confidence ${share(track.confidence_mean)}`,
  );
}
