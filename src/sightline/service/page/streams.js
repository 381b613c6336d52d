// The real-time graphs that run on the server's machine: their streams, rates, delays, losses.

import { call } from "./api.js";
import { byId, make, setHidden, setText } from "./element.js";
import { showHeader } from "./header.js";
import { count, plural, rate } from "./text.js";

const POLL_MS = 1000;
const STATES = { live: "Live", waiting: "Waiting", stalled: "No new frames", over: "Over" };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const milliseconds = (value) => (typeof value === "number" ? `${count(value)} ms` : "–");

/** The panel of one graph. */
class Graph {
  #table = make("table", {});
  #rows = new Map();

  constructor(run) {
    const id = `graph-${run}`;
    this.element = make(
      "section",
      { class: "panel", "aria-labelledby": id },
      make("div", { class: "panel-head" }, make("h2", { id }, "Graph ", make("code", {}, run)), make("p", { class: "meta" })),
      make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Table of graph ${run}` }, this.#table),
    );
    const names = ["Stream", "State", "Frames/s", "Frames", "Age p50", "Age p95", "Dropped", "Failed", "Restarts"];
    this.#table.append(
      make("caption", { class: "unseen" }, `Streams of graph ${run}`),
      make("thead", {}, make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}),
    );
  }

  show(streams) {
    setText(this.element.querySelector(".meta"), summaryOf(streams));
    const names = new Set(streams.map((stream) => stream.name));
    for (const [name, row] of this.#rows) {
      if (names.has(name)) continue;
      row.remove();
      this.#rows.delete(name);
    }
    for (const stream of streams) {
      const row = this.#rows.get(stream.name) ?? this.#add(stream.name);
      row.dataset.state = stateOf(stream);
      setText(row.querySelector(".state"), STATES[stateOf(stream)]);
      cellsOf(stream).forEach((text, at) => setText(row.cells[at + 2], text));
    }
  }

  #add(name) {
    const row = make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, make("span", { class: "state" })));
    row.append(...Array.from({ length: 7 }, () => make("td", {})));
    this.#table.tBodies[0].append(row);
    this.#rows.set(name, row);
    return row;
  }
}

/** What a stream's row says after its name and state; see `GET /v1/streams`. */
function cellsOf(stream) {
  const age = stream.latency?.age ?? {};
  const dropped = (stream.drops ?? []).reduce((total, drop) => total + drop.frames, 0);
  return [
    rate(stream.rate ?? 0),
    count(stream.frames ?? 0),
    milliseconds(age.p50_ms),
    milliseconds(age.p95_ms),
    count(dropped),
    count(stream.failed),
    count(stream.restarts ?? 0),
  ];
}

function stateOf(stream) {
  if (stream.over) return "over";
  if (!stream.frames) return "waiting";
  return stream.rate > 0 ? "live" : "stalled";
}

function summaryOf(streams) {
  const total = streams.reduce((sum, stream) => sum + (stream.rate ?? 0), 0);
  return `${plural(streams.length, "stream")}, ${rate(total)} frames/s`;
}

const graphs = new Map();

function show(streams) {
  const runs = Map.groupBy(streams, (stream) => stream.run);
  for (const [run, graph] of graphs) {
    if (runs.has(run)) continue;
    graph.element.remove();
    graphs.delete(run);
  }
  for (const [run, some] of runs) {
    if (!graphs.has(run)) {
      graphs.set(run, new Graph(run));
      byId("graphs").append(graphs.get(run).element);
    }
    graphs.get(run).show(some);
  }
  setText(byId("summary"), runs.size > 0 ? `${plural(runs.size, "graph")}, ${plural(streams.length, "stream")}` : "");
  setHidden(byId("empty"), runs.size > 0);
}

showHeader();
for (;;) {
  if (!document.hidden) {
    try {
      show((await call("/v1/streams")).streams);
      setText(byId("connection"), "");
    } catch {
      setText(byId("connection"), "Connection lost; trying again");
    }
  }
  await pause(POLL_MS);
}
