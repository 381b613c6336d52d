// What is drawn over the video: boxes, labels, trails, at the resolution of the screen.

import { colorOf, textColorOn } from "./palette.js";

const TRAIL_S = 2;
const FONT_PX = 12;

export class Overlay {
  #canvas;
  #detections;
  #size;
  #shown = { boxes: true, labels: true, trails: true };
  #tolerance;
  #time = 0;
  selected = null;

  /**
   * @param {HTMLCanvasElement} canvas lies over the video and has its size on the page
   * @param {import("./detections.js").Detections} detections
   * @param {{width: number, height: number, frame_rate: number | null}} video
   */
  constructor(canvas, detections, video) {
    this.#canvas = canvas;
    this.#detections = detections;
    this.#size = [video.width, video.height];
    this.#tolerance = 0.5 / (video.frame_rate || 25);
    new ResizeObserver(() => this.#resize()).observe(canvas);
  }

  /** Show or hide "boxes", "labels" or "trails". */
  toggle(what, shown) {
    this.#shown[what] = shown;
    this.draw(this.#time);
  }

  #resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth, clientHeight } = this.#canvas;
    this.#canvas.width = Math.round(clientWidth * ratio);
    this.#canvas.height = Math.round(clientHeight * ratio);
    this.draw(this.#time);
  }

  /** Draw what belongs to the frame that is shown at `time`, in seconds. */
  draw(time = this.#time) {
    this.#time = time;
    const context = this.#canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.#canvas.width, this.#canvas.height);
    const place = this.#place();
    if (this.#shown.trails) this.#drawTrails(context, place);
    const objects = this.objectsAt(time);
    if (this.#shown.boxes) for (const object of objects) this.#drawBox(context, place, object);
    if (this.#shown.labels) for (const object of objects) this.#drawLabel(context, place, object);
    this.#canvas.dataset.objects = objects.length;
  }

  /** The objects of the frame that is shown at a time; none if the frame has none. */
  objectsAt(time) {
    const near = this.#detections.between(time - this.#tolerance, time + this.#tolerance);
    const distance = (frame) => Math.abs(frame.time - time);
    return near.sort((a, b) => distance(a) - distance(b))[0]?.objects ?? [];
  }

  /** Where the picture lies on the canvas: it keeps its shape within the element. */
  #place() {
    const [width, height] = this.#size;
    const ratio = window.devicePixelRatio || 1;
    const scale = Math.min(this.#canvas.width / width, this.#canvas.height / height);
    return {
      scale,
      ratio,
      left: (this.#canvas.width - width * scale) / 2,
      top: (this.#canvas.height - height * scale) / 2,
    };
  }

  #strength(object) {
    return this.selected === null || object.track_id === this.selected ? 1 : 0.45;
  }

  #drawBox(context, { scale, ratio, left, top }, object) {
    const [x1, y1, x2, y2] = object.box;
    const box = [left + x1 * scale, top + y1 * scale, (x2 - x1) * scale, (y2 - y1) * scale];
    context.globalAlpha = this.#strength(object);
    context.strokeStyle = "rgb(0 0 0 / 45%)";
    context.lineWidth = 4 * ratio;
    context.strokeRect(...box);
    context.strokeStyle = colorOf(numberOf(object));
    context.lineWidth = (object.track_id === this.selected ? 3 : 2) * ratio;
    context.strokeRect(...box);
    context.globalAlpha = 1;
  }

  #drawLabel(context, { scale, ratio, left, top }, object) {
    const text = isTracked(object) ? `${object.track_id} ${object.class}` : object.class;
    context.font = `600 ${FONT_PX * ratio}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    const height = (FONT_PX + 5) * ratio;
    const width = context.measureText(text).width + 8 * ratio;
    const edge = left + object.box[0] * scale - ratio;
    const x = Math.max(Math.min(edge, this.#canvas.width - width), 0);
    const above = top + object.box[1] * scale - height;
    const y = above >= 0 ? above : top + object.box[1] * scale;
    context.globalAlpha = this.#strength(object);
    context.fillStyle = colorOf(numberOf(object));
    context.fillRect(x, y, width, height);
    context.fillStyle = textColorOn(numberOf(object));
    context.fillText(text, x + 4 * ratio, y + height / 2);
    context.globalAlpha = 1;
  }

  #drawTrails(context, { scale, ratio, left, top }) {
    const trails = new Map();
    const frames = this.#detections.between(this.#time - TRAIL_S, this.#time + this.#tolerance);
    for (const { time, objects } of frames) {
      for (const object of objects.filter(isTracked)) {
        const [x1, , x2, y2] = object.box;
        const point = { x: left + ((x1 + x2) / 2) * scale, y: top + y2 * scale, time };
        const trail = trails.get(object.track_id);
        if (trail === undefined) trails.set(object.track_id, { object, points: [point] });
        else trail.points.push(point);
      }
    }
    context.lineCap = "round";
    context.lineWidth = 2.5 * ratio;
    for (const { object, points } of trails.values()) this.#drawTrail(context, object, points);
    context.globalAlpha = 1;
  }

  #drawTrail(context, object, points) {
    context.strokeStyle = colorOf(numberOf(object));
    for (let at = 1; at < points.length; at += 1) {
      const age = (this.#time - points[at].time) / TRAIL_S;
      context.globalAlpha = Math.max(1 - age, 0) * this.#strength(object);
      context.beginPath();
      context.moveTo(points[at - 1].x, points[at - 1].y);
      context.lineTo(points[at].x, points[at].y);
      context.stroke();
    }
  }
}

const isTracked = (object) => typeof object.track_id === "number" && object.track_id >= 0;

/** What an object's colour goes by. */
const numberOf = (object) => (isTracked(object) ? object.track_id : (object.class_id ?? 0));
