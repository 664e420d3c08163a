/** A character on its drawing: joints that can be dragged and a mask that can be painted, each step undone. */

import { Mask } from "./mask.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST_UNDONE = 30;
const STEP = 1;
const LARGE_STEP = 10;
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const LIMBS = [
  ["shoulder", "elbow"], ["elbow", "hand"], ["hip", "knee"], ["knee", "foot"],
].flatMap(([from, to]) => ["left", "right"].map((side) => [`${side}_${from}`, `${side}_${to}`]));
const TRUNK = [
  ["left_shoulder", "right_shoulder"], ["left_hip", "right_hip"],
  ["left_shoulder", "left_hip"], ["right_shoulder", "right_hip"], ["nose", "neck"],
];

export class Figure {
  /**
   * @param {HTMLElement} stage holds an img, a canvas, an svg and a div, one over the other
   * @param {() => {tool: "joints"|"add"|"remove", size: number}} tool what is in the hand, size in screen pixels
   * @param {() => void} onChange called when a figure is shown, was corrected, or undone
   */
  constructor(stage, tool, onChange) {
    this.stage = stage;
    this.texture = stage.querySelector("img");
    this.bones = stage.querySelector("svg");
    this.handles = stage.querySelector("div");
    this.mask = new Mask(stage.querySelector("canvas"));
    this.tool = tool;
    this.onChange = onChange;
    this.strokes = 0;
    this.letGo = null; // ends the drag under way
    stage.addEventListener("pointerdown", (event) => this.#press(event));
    stage.addEventListener("keydown", (event) => this.#nudge(event));
  }

  /** Show a character as the server describes it. */
  async show(character) {
    this.letGo?.abort();
    this.character = character;
    this.history = [];
    this.isLoading = true;
    const { width, height, scale, offset } = character.texture;
    // Where the server means pixels' centres, a page means their corners: half a pixel lies between.
    const joints = Object.fromEntries(
      Object.entries(character.keypoints).map(([name, [x, y]]) => [
        name, { x: (x - offset[0]) / scale + 0.5, y: (y - offset[1]) / scale + 0.5 },
      ]),
    );
    this.now = this.saved = { joints, stroke: 0 };
    this.texture.removeAttribute("src"); // the picture before would stay until this one has come
    this.texture.src = character.urls.texture;
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.setProperty("--shape", width / height);
    this.bones.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.#draw();
    this.onChange();
    await Promise.all([this.texture.decode().catch(() => {}), this.mask.load(character.urls.mask, character.texture)]);
    if (this.character !== character) return;
    this.isLoading = false;
    this.onChange();
  }

  get canBePainted() {
    return this.mask.isThere;
  }

  /** Whether the mask cannot be had: this page may not read it. */
  get isSealed() {
    return !this.isLoading && !this.mask.isThere;
  }

  get canUndo() {
    return this.history.length > 0;
  }

  /**
   * What differs from `saved`, as the server takes it; null where nothing does. Once the server has it, `saved`
   * is to be what `now` was: people go on correcting meanwhile, and may undo afterwards.
   */
  get correction() {
    const { scale, offset } = this.character.texture;
    const { width, height } = this.character.image;
    const correction = {};
    const moved = Object.entries(this.now.joints).filter(([name, joint]) => joint !== this.saved.joints[name]);
    if (moved.length) {
      correction.keypoints = Object.fromEntries(moved.map(([name, { x, y }]) => [name, [
        clamp((x - 0.5) * scale + offset[0], 0, width),
        clamp((y - 0.5) * scale + offset[1], 0, height),
      ]]));
    }
    if (this.now.stroke !== this.saved.stroke) correction.mask = this.mask.toDataURL();
    return Object.keys(correction).length ? correction : null;
  }

  undo() {
    const before = this.history.pop();
    if (!before) return;
    this.now = before.now;
    if (before.mask) this.mask.restore(before.mask);
    this.#place();
    this.onChange();
  }

  /** Remember how all is, before it is changed. */
  #remember({ mask = false } = {}) {
    this.history.push({ now: this.now, mask: mask ? this.mask.copy() : null });
    if (this.history.length > MOST_UNDONE) this.history.shift();
  }

  #press(event) {
    if (event.button !== 0 || !event.isPrimary) return; // a second finger is no second hand
    const { tool, size } = this.tool();
    const joint = event.target.dataset.joint;
    if (tool === "joints" && joint) {
      const grip = this.#placeOf(event);
      const { x, y } = this.now.joints[joint];
      let isMoved = false;
      this.#follow(event, (place) => {
        if (!isMoved) this.#remember();
        isMoved = true;
        this.#move(joint, { x: x + place.x - grip.x, y: y + place.y - grip.y });
      });
    } else if (tool !== "joints" && this.canBePainted) {
      this.#remember({ mask: true });
      this.now = { ...this.now, stroke: ++this.strokes };
      let last = this.#placeOf(event);
      const paint = (place) => {
        this.mask.paint(last, place, size * this.#texturePixels(), tool === "add");
        last = place;
      };
      paint(last);
      this.#follow(event, paint);
    }
  }

  /** Call `step` with every place that the pointer comes to until it is let go. */
  #follow(event, step) {
    event.preventDefault();
    event.target.focus();
    this.stage.setPointerCapture(event.pointerId);
    const letGo = (this.letGo = new AbortController());
    const listen = (type, action) => this.stage.addEventListener(type, (each) => {
      if (each.pointerId === event.pointerId) action(each);
    }, { signal: letGo.signal });
    listen("pointermove", (moved) => {
      for (const each of moved.getCoalescedEvents?.() ?? [moved]) step(this.#placeOf(each));
    });
    listen("lostpointercapture", () => {
      letGo.abort();
      this.onChange();
    });
  }

  #nudge(event) {
    const joint = event.target.dataset.joint;
    const direction = MOVES[event.key];
    if (!joint || !direction) return;
    event.preventDefault();
    const step = event.shiftKey ? LARGE_STEP : STEP;
    if (!event.repeat) this.#remember(); // a key held down is one step
    const { x, y } = this.now.joints[joint];
    this.#move(joint, { x: x + step * direction[0], y: y + step * direction[1] });
    this.onChange();
  }

  #move(name, { x, y }) {
    const { width, height } = this.character.texture;
    const joint = { x: clamp(x, 0, width), y: clamp(y, 0, height) };
    this.now = { ...this.now, joints: { ...this.now.joints, [name]: joint } };
    this.#place();
  }

  /** How many of the texture's pixels one of the screen's is. */
  #texturePixels() {
    return this.character.texture.width / this.stage.getBoundingClientRect().width;
  }

  #placeOf(event) {
    const box = this.stage.getBoundingClientRect();
    const pixels = this.#texturePixels();
    return { x: (event.clientX - box.left) * pixels, y: (event.clientY - box.top) * pixels };
  }

  /** Make bones and joints anew. */
  #draw() {
    const bones = [...TRUNK, ...LIMBS].map(([from, to]) => {
      const line = document.createElementNS(SVG, "line");
      line.setAttribute("class", sideOf(from) === sideOf(to) ? sideOf(from) : "middle");
      Object.assign(line.dataset, { from, to });
      return line;
    });
    this.bones.replaceChildren(...bones);
    const joints = Object.keys(this.now.joints).map((name) => {
      const label = name.replace("_", " ");
      const joint = Object.assign(document.createElement("button"), {
        type: "button", className: sideOf(name), title: label, ariaLabel: label,
      });
      joint.dataset.joint = name;
      return joint;
    });
    this.handles.replaceChildren(...joints);
    this.#place();
  }

  /** Put them where they are. */
  #place() {
    const { left_shoulder: left, right_shoulder: right } = this.now.joints;
    const places = { ...this.now.joints, neck: { x: (left.x + right.x) / 2, y: (left.y + right.y) / 2 } };
    const { width, height } = this.character.texture;
    for (const bone of this.bones.children) {
      const { from, to } = bone.dataset;
      const ends = { x1: places[from].x, y1: places[from].y, x2: places[to].x, y2: places[to].y };
      for (const [name, value] of Object.entries(ends)) bone.setAttribute(name, value);
    }
    for (const joint of this.handles.children) {
      const { x, y } = places[joint.dataset.joint];
      joint.style.left = `${(100 * x) / width}%`;
      joint.style.top = `${(100 * y) / height}%`;
    }
  }
}

function sideOf(name) {
  return /^(left|right)_/.exec(name)?.[1] ?? "middle";
}

function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
