// What can be downloaded of a job.

import { byId, make, setHidden } from "./element.js";
import { bytes } from "./text.js";
import { Trouble } from "./trouble.js";

const WHAT = {
  tracks: "The path of every track, JSON",
  jsonl: "Every detection, a line of JSON per frame",
  csv: "Tracks as a table, CSV",
  mot: "MOT Challenge format",
  coco: "COCO format",
  parquet: "Tracks as a table, Parquet",
  video: "The video with boxes and trails",
  summary: "Summary of the run, JSON",
};

export class Downloads {
  #results;
  #trouble;
  #loading = null;

  /** @param {import("./results.js").Results} results */
  constructor(results) {
    this.#results = results;
    this.#trouble = new Trouble("downloads", {
      again: () => this.load(),
      focus: () => byId("downloads").querySelector("a"),
    });
  }

  /** Fetch what there is now, again and again if it does not come. */
  async load() {
    this.#loading?.abort();
    this.#trouble.wait();
    const loading = (this.#loading = new AbortController());
    try {
      const files = await this.#results.files(loading.signal);
      if (loading !== this.#loading) return;
      this.show(files);
      this.#trouble.clear();
    } catch (problem) {
      if (loading !== this.#loading) return;
      setHidden(byId("downloads-empty"), true);
      this.#trouble.tell(problem);
    }
  }

  /** Show the files. @param {{format: string, name: string, size: number, url: string}[]} files */
  show(files) {
    byId("downloads").replaceChildren(
      ...files.map(({ format, name, size, url }) =>
        make(
          "li",
          {},
          make("a", { href: url, download: name }, name),
          make("span", { class: "hint" }, WHAT[format] ?? format),
          make("span", { class: "figures" }, bytes(size)),
        ),
      ),
    );
    setHidden(byId("downloads-empty"), files.length > 0);
  }
}
