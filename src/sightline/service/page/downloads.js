// What can be downloaded of a job.

import { byId, make, setHidden } from "./element.js";
import { bytes } from "./text.js";

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

/** Show the files. @param {{format: string, name: string, size: number, url: string}[]} files */
export function showDownloads(files) {
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
