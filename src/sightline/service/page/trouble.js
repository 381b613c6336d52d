// A part of the page that could not be fetched: why, a button to try again, and trying by itself.

import { byId, setHidden, setText } from "./element.js";

const FIRST_RETRY_MS = 2000;
const LONGEST_RETRY_MS = 30_000;

export class Trouble {
  #name;
  #again;
  #focus;
  #retry = null;
  #retryMs = FIRST_RETRY_MS;
  #told = false;

  /**
   * @param {string} name how the ids of its elements begin
   * @param {{again: () => void, focus: () => HTMLElement | null}} to
   *   `focus`: gives what is to have the focus when the button that had it goes away
   */
  constructor(name, { again, focus }) {
    this.#name = name;
    this.#again = again;
    this.#focus = focus;
    byId(`${name}-again`).addEventListener("click", again);
  }

  /** Whether the last try went wrong. */
  get told() {
    return this.#told;
  }

  /** Say what went wrong; try again by itself where that may help, less and less often. */
  tell(problem) {
    this.#told = true;
    setHidden(byId(`${this.#name}-trouble`), false);
    setText(byId(`${this.#name}-error`), problem.message);
    if (!problem.passing) return;
    this.#retry = setTimeout(this.#again, this.#retryMs);
    this.#retryMs = Math.min(2 * this.#retryMs, LONGEST_RETRY_MS);
  }

  /** It is being tried now. */
  wait() {
    clearTimeout(this.#retry);
  }

  /** It has come. */
  clear() {
    const had = document.activeElement === byId(`${this.#name}-again`);
    this.#told = false;
    this.#retryMs = FIRST_RETRY_MS;
    setHidden(byId(`${this.#name}-trouble`), true);
    setText(byId(`${this.#name}-error`), "");
    if (had) this.#focus()?.focus();
  }
}
