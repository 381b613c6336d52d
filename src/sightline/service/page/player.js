// The video with its controls. It tells the time of the frame that is shown, frame by frame.

import { byId, setHidden, setText } from "./element.js";
import { clock } from "./text.js";

const JUMP_S = 5;

export class Player {
  #video = byId("video");
  #frameS;
  #duration = 0;
  #measured = false;
  #listeners = new Set();
  #onDuration = () => {};

  /** @param {{width: number, height: number, frame_rate: number | null}} video */
  constructor(video) {
    this.#frameS = 1 / (video.frame_rate || 25);
    byId("stage").style.aspectRatio = `${video.width} / ${video.height}`;
    this.#wire();
    this.#showTime(0);
  }

  /** Have a function called with the time of every frame that is shown, in seconds. */
  onFrame(listener) {
    this.#listeners.add(listener);
  }

  /** Have a function called when the duration is another than was thought. */
  onDuration(listener) {
    this.#onDuration = listener;
  }

  /** Tell how long the video may be, in seconds; what the browser finds in the file goes before. */
  expect(duration) {
    if (!this.#measured) this.#setDuration(duration);
  }

  get duration() {
    return this.#duration;
  }

  get time() {
    return this.#video.currentTime;
  }

  load(url) {
    this.#video.src = url;
  }

  seek(time) {
    this.#video.currentTime = Math.min(Math.max(time, 0), this.#duration || Number.MAX_VALUE);
  }

  /** Show the frame of that time, whichever way the browser rounds. */
  show(time) {
    this.seek(time + this.#frameS / 4);
  }

  /** Go to the middle of the next or previous frame, so that no rounding leads to another. */
  step(frames) {
    this.#video.pause();
    const number = Math.floor(this.#video.currentTime / this.#frameS + 1e-6) + frames;
    this.seek((Math.max(number, 0) + 0.5) * this.#frameS);
  }

  #wire() {
    const video = this.#video;
    byId("play").addEventListener("click", () => this.#toggle());
    byId("step-back").addEventListener("click", () => this.step(-1));
    byId("step-on").addEventListener("click", () => this.step(1));
    byId("speed").addEventListener("change", (event) => (video.playbackRate = Number(event.target.value)));
    byId("full").addEventListener("click", () => this.#toggleFull());
    byId("seek").addEventListener("input", (event) => this.seek(Number(event.target.value)));
    byId("stage").addEventListener("click", () => this.#toggle());
    byId("player").addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["play", "pause", "ended"]) video.addEventListener(name, () => this.#showState());
    video.addEventListener("loadedmetadata", () => {
      this.#measured = Number.isFinite(video.duration);
      setHidden(byId("stage-note"), true);
      if (this.#measured) this.#setDuration(video.duration);
      this.#showTime(video.currentTime);
    });
    video.addEventListener("error", () => this.note("This browser cannot play the video. The results below do not need it."));
    this.#watchFrames();
  }

  /** Say something in place of the picture. */
  note(text) {
    setText(byId("stage-note"), text);
    setHidden(byId("stage-note"), text === "");
  }

  /** Be told of frames by the browser as they come on the screen, or else at its pace of painting. */
  #watchFrames() {
    const video = this.#video;
    if ("requestVideoFrameCallback" in video) {
      const next = (_, { mediaTime }) => {
        this.#showTime(mediaTime);
        video.requestVideoFrameCallback(next);
      };
      video.requestVideoFrameCallback(next);
      return;
    }
    const next = () => {
      if (!video.paused) this.#showTime(video.currentTime);
      requestAnimationFrame(next);
    };
    video.addEventListener("seeked", () => this.#showTime(video.currentTime));
    next();
  }

  #setDuration(duration) {
    if (duration === this.#duration) return;
    this.#duration = duration;
    this.#showTime(this.time);
    this.#onDuration();
  }

  #showTime(time) {
    const seek = byId("seek");
    seek.max = String(this.#duration || 0);
    seek.value = String(time);
    seek.setAttribute("aria-valuetext", `${clock(time)} of ${clock(this.#duration)}`);
    setText(byId("time"), `${clock(time)} / ${clock(this.#duration)}`);
    for (const listener of this.#listeners) listener(time);
  }

  #showState() {
    const { paused } = this.#video;
    byId("play").dataset.state = paused ? "paused" : "playing";
    byId("play").setAttribute("aria-label", paused ? "Play" : "Pause");
  }

  #toggle() {
    if (this.#video.paused) this.#video.play().catch(() => {});
    else this.#video.pause();
  }

  #toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else byId("player").requestFullscreen?.();
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const onControl = event.target.closest("button, select, input");
    const acts = {
      ",": () => this.step(-1),
      ".": () => this.step(1),
      j: () => this.seek(this.time - JUMP_S),
      l: () => this.seek(this.time + JUMP_S),
      k: () => this.#toggle(),
      f: () => this.#toggleFull(),
      ...(onControl ? {} : { " ": () => this.#toggle() }),
    };
    if (!(event.key in acts) || event.target.closest("select")) return;
    event.preventDefault();
    acts[event.key]();
  }
}
