// The page of one job.

import { call } from "./api.js";
import { Counts, classesOf } from "./counts.js";
import { Detections } from "./detections.js";
import { DetectionsView } from "./detections_view.js";
import { Downloads } from "./downloads.js";
import { byId, setHidden, setText } from "./element.js";
import { factsLine, showFacts } from "./facts.js";
import { follow } from "./feed.js";
import { showHeader } from "./header.js";
import { Overlay } from "./overlay.js";
import { Player } from "./player.js";
import { Results, hasResults } from "./results.js";
import { Status } from "./status.js";
import { wireTabs } from "./tabs.js";
import { TracksView, matcher, trackOf } from "./tracks_view.js";
import { plural } from "./text.js";

const BINS = 240;
const REFRESH_MS = 2000;
const SEARCH_MS = 200;
const PLAYED = ["succeeded", "failed", "canceled"];

class JobPage {
  #id;
  #job = null;
  #results;
  #status;
  #player = null;
  #detections;
  #downloads;
  #overlay = null;
  #tracks = null;
  #list = null;
  #counts = null;
  #classes = [];
  #shownFrames = -1;
  #refreshing = false;
  #refreshed = 0;
  #tab = "tracks";

  constructor(id) {
    this.#id = id;
    this.#results = new Results(id);
    this.#status = new Status((job) => (job === null ? location.assign("/") : this.#restart(job)));
    this.#detections = new Detections(this.#results, () => this.#overlay?.draw());
    this.#downloads = new Downloads(this.#results);
  }

  async start() {
    try {
      this.#show(await call(`/v1/jobs/${this.#id}`));
      this.#follow();
    } catch (problem) {
      this.#miss(problem);
    }
  }

  #miss(problem) {
    setText(byId("name"), problem.status === 404 ? "No such job" : "Job");
    setText(byId("missing"), problem.status === 404 ? "There is no job of this address. It may have been deleted." : problem.message);
    setHidden(byId("missing"), false);
    setHidden(byId("columns"), true);
    setHidden(byId("status"), true);
  }

  #follow() {
    if (this.#job.terminal) return;
    follow(this.#id, {
      onJob: (job) => this.#show(job),
      onLink: (linked) => setText(byId("connection"), linked ? "" : "Connection lost; trying again"),
      onProblem: (problem) => this.#miss(problem),
    });
  }

  /** After an action: a job that was over may run again. */
  #restart(job) {
    const again = this.#job.terminal && !job.terminal;
    this.#show(job);
    if (again) this.#follow();
  }

  #show(job) {
    const first = this.#job === null;
    const ended = job.terminal && !this.#job?.terminal;
    this.#job = job;
    this.#results.start = job.summary.playback_starts_s?.video ?? 0;
    if (first) document.title = `${job.source.name} · Sightline`;
    setText(byId("name"), job.source.name);
    setText(byId("facts-line"), factsLine(job));
    this.#status.show(job);
    if (first || ended || job.video !== null) showFacts(job);
    if (job.status === "expired") return setHidden(byId("columns"), true);
    if (job.video === null) return null;
    if (this.#player === null) this.#open(job);
    this.#player.expect(Math.max(endOf(job) - this.#results.start, 0));
    if (ended) this.#end(job);
    return this.#refresh();
  }

  /** The video is there: show it, and what is found in it as it comes. */
  #open(job) {
    setHidden(byId("columns"), false);
    const player = (this.#player = new Player(job.video));
    this.#overlay = new Overlay(byId("overlay"), this.#detections, job.video);
    const duration = () => player.duration;
    this.#tracks = new TracksView({
      duration,
      onPick: (track, time) => this.#pick(track, time),
    });
    this.#list = new DetectionsView(this.#results, {
      onPick: (found) => player.show(found.time_s),
      onChange: (loaded, more) => this.#tellFound(loadedOf(loaded, more), "detections"),
    });
    this.#counts = new Counts(byId("counts"), byId("counts-table"), {
      duration,
      onSeek: (at) => player.seek(at * duration()),
    });
    player.onDuration(() => {
      this.#tracks.refresh();
      this.#counts.refresh();
    });
    player.onFrame((time) => {
      this.#detections.prepare(time);
      this.#overlay.draw(time);
      this.#tracks.mark(time);
    });
    for (const box of byId("toggles").querySelectorAll("input")) {
      box.addEventListener("change", () => this.#overlay.toggle(box.value, box.checked));
    }
    this.#wireResults();
    if (job.video.playable || job.terminal) player.load(`/v1/jobs/${this.#id}/video`);
    else player.note("A preview that this browser can play is made when the job is done.");
  }

  #wireResults() {
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.#tracks.clear());
    wireTabs(byId("results"), (tab) => {
      this.#tab = tab;
      this.#search();
    });
    let typing = null;
    byId("search").addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => this.#search(), SEARCH_MS);
    });
  }

  #search() {
    const text = byId("search").value.trim();
    const { all, some } = this.#tracks.search(text);
    if (this.#tab === "tracks") this.#tellFound(text ? `${some} of ${plural(all, "track")}` : plural(all, "track"), "tracks");
    else this.#list.set(queryOf(text, this.#classes));
  }

  #tellFound(text, tab) {
    if (this.#tab === tab) setText(byId("found"), text);
  }

  #pick(track, time) {
    this.#overlay.selected = track?.track_id ?? null;
    if (track !== null) this.#player.show(time);
    this.#overlay.draw();
  }

  #end(job) {
    if (!job.video.playable && PLAYED.includes(job.status)) this.#player.load(`/v1/jobs/${this.#id}/video`);
    if (hasResults(job)) this.#downloads.load();
    else this.#downloads.show([]);
  }

  /** Fetch tracks and counts again when more frames are final, not more often than they come. */
  async #refresh() {
    const { terminal, progress } = this.#job;
    const grown = progress.frames_final !== this.#shownFrames || terminal;
    if (!grown || this.#refreshing) return;
    const wait = this.#refreshed + REFRESH_MS - performance.now();
    this.#refreshing = true;
    if (!terminal && wait > 0) await new Promise((done) => setTimeout(done, wait));
    this.#shownFrames = this.#job.progress.frames_final;
    const complete = this.#job.terminal;
    try {
      if (hasResults(this.#job)) await this.#fetch(complete);
      else this.#search();
    } catch (problem) {
      this.#shownFrames = -1; // No results yet, or the connection is lost: the next snapshot tells,
      if (complete && problem.passing) setTimeout(() => this.#refresh(), REFRESH_MS); // if one comes.
    }
    this.#refreshing = false;
    this.#refreshed = performance.now();
    if (this.#job.terminal && !complete) this.#refresh();
  }

  async #fetch(complete) {
    const [tracks, bins] = await Promise.all([this.#results.tracks(), this.#results.counts(BINS)]);
    this.#detections.grown({ complete });
    this.#detections.prepare(this.#player.time);
    this.#classes = classesOf(bins);
    this.#counts.show(bins);
    setHidden(byId("counts-empty"), this.#classes.length > 0);
    const tracked = this.#job.params?.tracker !== "none" || tracks.length > 0;
    this.#tracks.set(tracks);
    if (complete && !tracked) byId("tab-detections").click();
    else this.#search();
  }
}

/** About where the range of a job ends: what it says of the video's length is that of the range. */
const endOf = ({ range, video }) => (video.duration_s ? (range?.start_s ?? 0) + video.duration_s : 0);

/** How many detections are loaded; where none are yet, nothing is known of their number. */
function loadedOf(loaded, more) {
  if (!more) return plural(loaded, "detection");
  return loaded > 0 ? `${plural(loaded, "detection")} loaded, more follow` : "";
}

/** What to ask the server for: a track by its number, or the classes that fit. */
function queryOf(text, classes) {
  const track = trackOf(text);
  if (text === "" || track !== null) return { track, classes: [] };
  const fitting = matcher(text);
  const some = classes.filter((name) => fitting({ class: name }));
  return { track: null, classes: some.length > 0 ? some : [text] };
}

showHeader();
new JobPage(location.pathname.split("/").pop()).start();
