// The page of the live view: a card per stream, from what /streams says every second.

import { watch } from "./pictures.js";

const POLL_MS = 1000;
const TIMEOUT_MS = 5000;
const STALLED_MS = 3000;
const MOST_ENDED = 12;
const STATES = { waiting: "Waiting", live: "Live", stalled: "No new frames", ended: "Ended" };

const byId = (id) => document.getElementById(id);
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const integer = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const precise = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Write text only where it changed, so that a selection and a screen reader are left in peace. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function duration(ms) {
  if (ms === null) return "–";
  if (ms < 1000) return `${integer.format(ms)} ms`;
  if (ms < 60_000) return `${precise.format(ms / 1000)} s`;
  return `${integer.format(ms / 60_000)} min`;
}

const milliseconds = (value) => (typeof value === "number" ? precise.format(value) : "–");

const plural = (count, noun) => `${integer.format(count)} ${noun}${count === 1 ? "" : "s"}`;

/** Fill the rows of a table; the first cell of each is its header. */
function fillTable(table, rows) {
  table.hidden = rows.length === 0;
  const body = table.tBodies[0];
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, at) => {
    const row = body.rows[at] ?? newRow(body, cells.length);
    cells.forEach((text, column) => setText(row.cells[column], text));
  });
}

function newRow(body, cells) {
  const row = body.insertRow();
  const header = document.createElement("th");
  header.scope = "row";
  row.append(header);
  for (let count = 1; count < cells; count += 1) row.insertCell();
  return row;
}

/** How old the picture is: since it came to the page, and before, as half of the last ones were. */
function ageOf(stream) {
  return stream.age_ms === null ? null : stream.age_ms + (stream.hops?.age?.p50_ms ?? 0);
}

class Card {
  ended = false;
  visible = false;
  #canvas;
  #hasPicture = false;

  constructor(stream) {
    this.id = stream.id;
    this.name = stream.name;
    this.element = byId("card").content.firstElementChild.cloneNode(true);
    this.#canvas = this.#find("canvas");
    this.#canvas.width = stream.width;
    this.#canvas.height = stream.height;
    this.#canvas.setAttribute("aria-label", `Live picture of ${stream.name}`);
    const title = this.#find("h2");
    title.textContent = stream.name;
    title.id = `stream-${stream.id}`;
    this.element.setAttribute("aria-labelledby", title.id);
    this.#find(".mjpeg").href = `${stream.path}.mjpeg`;
    this.#find(".jpg").href = `${stream.path}.jpg`;
    const enlarge = this.#find(".enlarge");
    enlarge.setAttribute("aria-label", `Show ${stream.name} in full screen`);
    enlarge.addEventListener("click", () => this.#find(".picture").requestFullscreen());
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }

  #setState(state) {
    this.element.dataset.state = state;
    setText(this.#find(".state"), STATES[state]);
  }

  show(stream) {
    const figures = {
      rate: `${precise.format(stream.rate)} /s`,
      age: duration(ageOf(stream)),
      frames: integer.format(stream.frames),
      size: `${stream.width} × ${stream.height}`,
    };
    for (const [figure, text] of Object.entries(figures)) {
      setText(this.#find(`[data-figure="${figure}"]`), text);
    }
    setText(this.#find(".viewers"), plural(stream.viewers, "viewer"));
    const hops = Object.entries(stream.hops ?? {});
    fillTable(
      this.#find(".hops"),
      hops.map(([hop, at]) => [hop, ...[at.p50_ms, at.p95_ms, at.p99_ms].map(milliseconds)]),
    );
    const drops = Object.entries(stream.drops ?? {}).flatMap(([stage, reasons]) =>
      Object.entries(reasons).map(([reason, count]) => [stage, reason, integer.format(count)]),
    );
    fillTable(this.#find(".drops"), drops);
    if (stream.age_ms === null) this.#setState("waiting");
    else this.#setState(stream.age_ms > STALLED_MS ? "stalled" : "live");
    this.note(paused ? "Pictures are paused" : "Waiting for a frame");
  }

  /** Say why there is no picture, as long as there is none. */
  note(text) {
    setText(this.#find(".note"), this.#hasPicture ? "" : text);
  }

  paint(picture) {
    const canvas = this.#canvas;
    if (canvas.width !== picture.width) canvas.width = picture.width;
    if (canvas.height !== picture.height) canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    this.#hasPicture = true;
    this.note("");
  }

  end() {
    this.ended = true;
    this.#setState("ended");
    setText(this.#find('[data-figure="rate"]'), "–");
    setText(this.#find('[data-figure="age"]'), "–");
    this.#find(".links").hidden = true;
    this.note("The stream has ended");
  }
}

const cards = new Map();
let paused = false;

const visibility = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    for (const card of cards.values()) {
      if (card.element === entry.target) card.visible = entry.isIntersecting;
    }
  }
  watchVisible();
});

function update(streams) {
  for (const stream of streams) {
    if (!cards.has(stream.id)) add(new Card(stream));
    cards.get(stream.id).show(stream);
  }
  const running = new Set(streams.map((stream) => stream.id));
  for (const card of cards.values()) {
    if (!running.has(card.id) && !card.ended) card.end();
  }
  forgetEnded(new Set(streams.map((stream) => stream.name)));
  setText(byId("summary"), plural(streams.length, "stream"));
  byId("empty").hidden = cards.size > 0;
  watchVisible();
}

function add(card) {
  cards.set(card.id, card);
  byId("streams").append(card.element);
  visibility.observe(card.element);
}

/** Keep the last picture of a stream that has ended, unless it runs again or they grow many. */
function forgetEnded(names) {
  const ended = [...cards.values()].filter((card) => card.ended);
  ended.forEach((card, at) => {
    if (!names.has(card.name) && at >= ended.length - MOST_ENDED) return;
    visibility.unobserve(card.element);
    card.element.remove();
    cards.delete(card.id);
  });
}

let watched = "";
let connection = new AbortController();

/** Watch the streams that can be seen, and no others; start anew when they change. */
function watchVisible() {
  const wanted = paused || document.hidden
    ? []
    : [...cards.values()].filter((card) => card.visible && !card.ended);
  const key = wanted.map((card) => card.id).join();
  if (key === watched) return;
  watched = key;
  connection.abort();
  connection = new AbortController();
  if (wanted.length > 0) follow(wanted, connection.signal);
}

async function follow(wanted, signal) {
  try {
    await watch(wanted.map((card) => card.name), signal, (at, picture) => wanted[at].paint(picture));
  } catch {
    // Cut off: by us, by the server's end, or by a stream's. The next answer of /streams tells.
  }
  if (!signal.aborted) watched = "";
}

function setConnection(state, text) {
  const element = byId("connection");
  element.dataset.state = state;
  setText(element, text);
  document.body.classList.toggle("lost", state === "lost");
}

async function poll() {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const response = await fetch("streams", { signal, cache: "no-store" });
    if (!response.ok) throw new Error(`the server answers ${response.status}`);
    update((await response.json()).streams);
    setConnection("live", "Connected");
  } catch {
    setConnection("lost", "Connection lost; trying again");
    watched = "";
  }
}

byId("pause").addEventListener("click", (event) => {
  paused = !paused;
  event.currentTarget.setAttribute("aria-pressed", String(paused));
  watchVisible();
});
document.addEventListener("visibilitychange", watchVisible);

for (;;) {
  await poll();
  await pause(POLL_MS);
}
