/** The figure's mask, painted by hand: opaque where the figure is, in the texture's pixels. */

export class Mask {
  /** @param {HTMLCanvasElement} veil is drawn over the texture, to dim what is not of the figure */
  constructor(veil) {
    this.veil = veil;
    this.canvas = document.createElement("canvas");
    this.isThere = false;
    this.url = null;
  }

  /** Show the mask at an address. It stays away, and cannot be painted, where the page may not read it. */
  async load(url, { width, height }) {
    for (const canvas of [this.veil, this.canvas]) Object.assign(canvas, { width, height });
    this.isThere = false;
    this.url = url;
    const image = await loadImage(url).catch(() => null);
    if (!image || this.url !== url) return; // another drawing's was asked for meanwhile
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, width, height);
    for (let at = 0; at < pixels.data.length; at += 4) pixels.data[at + 3] = pixels.data[at] > 127 ? 255 : 0;
    context.putImageData(pixels, 0, 0);
    this.isThere = true;
    this.show();
  }

  /** Paint a stroke between two points of the texture, `size` pixels wide. */
  paint(from, to, size, isFigure) {
    const context = this.canvas.getContext("2d");
    context.globalCompositeOperation = isFigure ? "source-over" : "destination-out";
    context.lineCap = "round";
    context.lineWidth = size;
    context.strokeStyle = "white";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    this.show();
  }

  /** Take a copy, for `restore`: of the opacities only, a quarter of the bytes, as many copies are kept. */
  copy() {
    const { data } = this.canvas.getContext("2d").getImageData(0, 0, this.canvas.width, this.canvas.height);
    const copied = new Uint8Array(data.length / 4);
    for (let at = 0; at < copied.length; at++) copied[at] = data[4 * at + 3];
    return copied;
  }

  restore(copied) {
    const pixels = new ImageData(this.canvas.width, this.canvas.height);
    pixels.data.fill(255);
    for (let at = 0; at < copied.length; at++) pixels.data[4 * at + 3] = copied[at];
    this.canvas.getContext("2d").putImageData(pixels, 0, 0);
    this.show();
  }

  /** Write it as the server takes it: a PNG, white on the figure, as a data URL. */
  toDataURL() {
    const { width, height } = this.canvas;
    const flat = Object.assign(document.createElement("canvas"), { width, height });
    const context = flat.getContext("2d");
    context.fillRect(0, 0, width, height);
    context.drawImage(this.canvas, 0, 0);
    return flat.toDataURL("image/png");
  }

  show() {
    const context = this.veil.getContext("2d");
    const { width, height } = this.veil;
    context.globalCompositeOperation = "copy";
    context.fillStyle = getComputedStyle(this.veil).color;
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = "destination-out";
    context.drawImage(this.canvas, 0, 0);
  }
}

/** Load a picture whose pixels may be read; that of another origin only where that origin allows it. */
async function loadImage(url) {
  const image = new Image();
  image.crossOrigin = "anonymous";
  image.src = url;
  await image.decode();
  return image;
}
