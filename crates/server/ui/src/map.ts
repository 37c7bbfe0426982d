// A map over the part of the picture that the model saw. The colours are those of the server's overlays: warm for, cool against, equal
// steps in Oklab.

import { Reading } from "../gen/unmask/v1/explanation_service_pb";
import type { Box, Map as Values } from "../gen/unmask/v1/picture_pb";
import { h } from "./dom";

const NEUTRAL = 0.93;
const LIGHTNESS = 0.58;
const CHROMA = 0.17;
const WARM = 42;
const COOL = 258;
const STEPS = 256;

/** Longest side of the drawn picture, which small ones grow to as well. */
const SIDE = 640;

type Colour = [number, number, number];

const [warm, cool] = [WARM, COOL].map((hue) => Array.from({ length: STEPS + 1 }, (_, i) => along(i / STEPS, hue))) as [Colour[], Colour[]];

function along(place: number, hue: number): Colour {
  const angle = (hue * Math.PI) / 180;
  return srgb(NEUTRAL + place * (LIGHTNESS - NEUTRAL), place * CHROMA * Math.cos(angle), place * CHROMA * Math.sin(angle));
}

/** Oklab to eight-bit sRGB, with the constants of its author. */
function srgb(lightness: number, a: number, b: number): Colour {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const linear = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return linear.map((v) => Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055))) as Colour;
}

/** A value's place between -1 and 1, or between 0 and 1 where only size matters. */
function shares(map: Values, reading: Reading): Float64Array {
  const view = new DataView(map.values.buffer, map.values.byteOffset, map.values.byteLength);
  const values = Float64Array.from({ length: map.width * map.height }, (_, i) => view.getFloat32(4 * i, true));
  const finite = values.filter(Number.isFinite);
  const low = finite.reduce((least, v) => Math.min(least, v), Infinity);
  const high = finite.reduce((most, v) => Math.max(most, v), -Infinity);
  const peak = Math.max(Math.abs(low), Math.abs(high));
  return values.map((value) => {
    const share = reading === Reading.IMPORTANCE ? (value - low) / (high - low) : value / peak;
    return Number.isFinite(share) ? share : 0;
  });
}

/** The picture, a map over it that can be exchanged, and how strong its colours are. */
export class Stage {
  readonly element: HTMLElement;
  readonly #map = h("canvas", { class: "map", "aria-hidden": "true" });

  constructor(bitmap: ImageBitmap, crop: Box, name: string) {
    const scale = SIDE / Math.max(1, crop.width, crop.height);
    const [width, height] = [crop.width, crop.height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
    const photograph = h("canvas", { width, height, role: "img", "aria-label": name });
    photograph.getContext("2d")?.drawImage(bitmap, crop.x, crop.y, crop.width, crop.height, 0, 0, width, height);
    const strength = h("input", { type: "range", min: 0, max: 100, value: 75 });
    strength.addEventListener("input", () => this.#strength(strength.valueAsNumber));
    this.#strength(strength.valueAsNumber);
    this.element = h(
      "div",
      {},
      h("div", { class: "stage" }, photograph, this.#map),
      legend(),
      h("label", { class: "strength" }, "Strength of the colours", strength),
    );
  }

  #strength(percent: number): void {
    this.#map.style.opacity = String(percent / 100);
  }

  /** Draws these values in place of what was there. Colour covers the more the larger a value is. */
  show(map: Values, reading: Reading): void {
    if (map.values.byteLength !== 4 * map.width * map.height || map.values.byteLength === 0) return;
    const image = new ImageData(map.width, map.height);
    shares(map, reading).forEach((share, i) => {
      const arm = share < 0 ? cool : warm;
      const strength = Math.min(1, Math.abs(share));
      const colour = arm[Math.round(strength * STEPS)] ?? [0, 0, 0];
      image.data.set([...colour, Math.round(255 * strength)], 4 * i);
    });
    this.#map.width = map.width;
    this.#map.height = map.height;
    this.#map.getContext("2d")?.putImageData(image, 0, 0);
  }
}

function legend(): HTMLElement {
  const bar = h("canvas", { width: 2 * STEPS + 1, height: 1, class: "bar", "aria-hidden": "true" });
  const image = new ImageData(2 * STEPS + 1, 1);
  for (let i = -STEPS; i <= STEPS; i++) {
    const colour = (i < 0 ? cool : warm)[Math.abs(i)] ?? [0, 0, 0];
    image.data.set([...colour, 255], 4 * (i + STEPS));
  }
  bar.getContext("2d")?.putImageData(image, 0, 0);
  return h("p", { class: "legend" }, h("span", {}, "speaks against"), bar, h("span", {}, "speaks for"));
}
