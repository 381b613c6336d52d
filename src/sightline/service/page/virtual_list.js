// A list of any length, of which only the rows in sight exist: a listbox for keyboard and reader.

import { make } from "./element.js";

const MARGIN_ROWS = 8;
let lists = 0;

export class VirtualList {
  #box;
  #inner;
  #settings;
  #items = [];
  #rows = new Map();
  #active = -1;
  #prefix = `list-${(lists += 1)}-`;

  /**
   * @param {HTMLElement} box scrolls; becomes the listbox
   * @param {{rowPx: number, makeRow: () => HTMLElement,
   *   showRow: (row: HTMLElement, item: object) => void,
   *   onActivate: (item: object, event: Event) => void, onEnd?: () => void}} settings
   *   `showRow` also sets the row's `aria-label`; `onEnd`: the last rows have come into sight
   */
  constructor(box, settings) {
    this.#box = box;
    this.#settings = settings;
    this.#inner = make("div", { class: "virtual", role: "presentation" });
    box.setAttribute("role", "listbox");
    box.tabIndex = 0;
    box.append(this.#inner);
    box.addEventListener("scroll", () => this.#paint(), { passive: true });
    box.addEventListener("keydown", (event) => this.#key(event));
    box.addEventListener("click", (event) => this.#click(event));
    box.addEventListener("focus", () => this.#active < 0 && this.#items.length > 0 && this.#go(0));
    new ResizeObserver(() => this.#paint()).observe(box);
  }

  get items() {
    return this.#items;
  }

  /** Show other items. */
  set(items) {
    this.#items = items;
    this.#inner.style.height = `${items.length * this.#settings.rowPx}px`;
    if (this.#active >= items.length) this.#active = items.length - 1;
    this.#paint({ anew: true });
  }

  /** Repaint the rows in sight, because their looks changed. */
  refresh() {
    this.#paint({ anew: true });
  }

  /** Bring an item into sight and make it the active one. */
  reveal(at) {
    if (at >= 0) this.#go(at);
  }

  #paint({ anew = false } = {}) {
    const { rowPx } = this.#settings;
    const { scrollTop, clientHeight } = this.#box;
    const first = Math.max(Math.floor(scrollTop / rowPx) - MARGIN_ROWS, 0);
    const last = Math.min(Math.ceil((scrollTop + clientHeight) / rowPx) + MARGIN_ROWS, this.#items.length);
    const free = [];
    for (const [at, row] of this.#rows) {
      if (at >= first && at < last) continue;
      this.#rows.delete(at);
      free.push(row);
    }
    for (let at = first; at < last; at += 1) {
      const known = this.#rows.get(at);
      if (known !== undefined && !anew) continue;
      const row = known ?? free.pop() ?? this.#newRow();
      this.#rows.set(at, row);
      this.#place(row, at);
    }
    for (const row of free) row.remove();
    if (last === this.#items.length && clientHeight > 0) this.#settings.onEnd?.();
  }

  #newRow() {
    const row = this.#settings.makeRow();
    row.setAttribute("role", "option");
    this.#inner.append(row);
    return row;
  }

  #place(row, at) {
    row.id = this.#prefix + at;
    row.dataset.at = at;
    row.style.transform = `translateY(${at * this.#settings.rowPx}px)`;
    row.setAttribute("aria-posinset", at + 1);
    row.setAttribute("aria-setsize", this.#items.length);
    row.setAttribute("aria-selected", String(at === this.#active));
    this.#settings.showRow(row, this.#items[at]);
  }

  #go(at) {
    const { rowPx } = this.#settings;
    const before = this.#rows.get(this.#active);
    before?.setAttribute("aria-selected", "false");
    this.#active = at;
    const top = at * rowPx;
    const { scrollTop, clientHeight } = this.#box;
    if (top < scrollTop) this.#box.scrollTop = top;
    else if (top + rowPx > scrollTop + clientHeight) this.#box.scrollTop = top + rowPx - clientHeight;
    this.#paint();
    this.#rows.get(at)?.setAttribute("aria-selected", "true");
    this.#box.setAttribute("aria-activedescendant", this.#prefix + at);
  }

  #key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || this.#items.length === 0) return;
    const last = this.#items.length - 1;
    const page = Math.max(Math.floor(this.#box.clientHeight / this.#settings.rowPx) - 1, 1);
    const moves = {
      ArrowDown: this.#active + 1,
      ArrowUp: this.#active - 1,
      PageDown: this.#active + page,
      PageUp: this.#active - page,
      Home: 0,
      End: last,
    };
    if (event.key in moves) this.#go(Math.min(Math.max(moves[event.key], 0), last));
    else if (event.key === "Enter" || event.key === " ") this.#activate(event);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #click(event) {
    const row = event.target.closest("[role=option]");
    if (row === null) return;
    this.#go(Number(row.dataset.at));
    this.#activate(event);
  }

  #activate(event) {
    const item = this.#items[this.#active];
    if (item !== undefined) this.#settings.onActivate(item, event);
  }
}
