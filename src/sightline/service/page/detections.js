// The detections of a job by time, fetched in windows ahead of playback and kept for a while.

const WINDOW_S = 4;
const AHEAD = 2;
const MOST_WINDOWS = 24;
const STALE_MS = 2000;

export class Detections {
  #results;
  #windows = new Map();
  #any = false;
  #complete = false;
  #onLoad;

  /**
   * @param {import("./results.js").Results} results
   * @param {() => void} onLoad told when a window has arrived
   */
  constructor(results, onLoad) {
    this.#results = results;
    this.#onLoad = onLoad;
  }

  /** There are results, or more of them; `complete`: for the last time. */
  grown({ complete }) {
    this.#any = true;
    if (complete && !this.#complete) this.#windows.clear();
    this.#complete = complete;
  }

  /** Fetch what will be needed around and after a time, in seconds. */
  prepare(time) {
    if (!this.#any) return;
    const at = Math.floor(Math.max(time, 0) / WINDOW_S);
    for (let ahead = -1; ahead <= AHEAD; ahead += 1) if (at + ahead >= 0) this.#load(at + ahead);
    while (this.#windows.size > MOST_WINDOWS) this.#windows.delete(this.#windows.keys().next().value);
  }

  /** The frames with detections whose time lies in `from <= time <= to`, in order. */
  between(from, to) {
    const found = [];
    for (let at = Math.floor(Math.max(from, 0) / WINDOW_S); at * WINDOW_S <= to; at += 1) {
      const frames = this.#windows.get(at)?.frames ?? [];
      for (let index = firstFrom(frames, from); index < frames.length && frames[index].time <= to; index += 1) {
        found.push(frames[index]);
      }
    }
    return found;
  }

  async #load(at) {
    const known = this.#windows.get(at);
    const stale = known && !known.loading && !known.complete && performance.now() - known.since > STALE_MS;
    if (known && !stale) return;
    const window = { frames: known?.frames ?? [], loading: true, complete: this.#complete, since: 0 };
    this.#windows.delete(at);
    this.#windows.set(at, window);
    try {
      window.frames = await this.#fetch(at * WINDOW_S, (at + 1) * WINDOW_S);
    } catch {
      window.complete = false;
    }
    window.loading = false;
    window.since = performance.now();
    this.#onLoad();
  }

  async #fetch(from, to) {
    const frames = [];
    for (const found of await this.#results.between(from, to)) {
      const last = frames.at(-1);
      if (last?.time === found.time_s) last.objects.push(found);
      else frames.push({ time: found.time_s, objects: [found] });
    }
    return frames;
  }
}

/** Index of the first frame at or after a time. */
function firstFrom(frames, time) {
  let [low, high] = [0, frames.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (frames[middle].time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
