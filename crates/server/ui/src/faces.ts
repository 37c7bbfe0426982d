// The faces of a picture: boxes on it, and a list to choose from.

import type { Face } from "../gen/unmask/v1/face_pb";
import { h, the } from "./dom";
import type { Picture } from "./picture";
import { percent } from "./words";

/** Longest side of the drawn picture, which small ones grow to as well. */
const SIDE = 720;
const THUMBNAIL = 56;

/** Shows them; the first, which is the largest, is chosen. */
export function showFaces(picture: Picture, faces: Face[]): void {
  const list = the("face-list", HTMLFieldSetElement);
  list.querySelectorAll("label, p").forEach((old) => old.remove());
  faces.forEach((face, index) => list.append(...entry(picture, face, index)));
  const whole = h("input", { type: "radio", name: "face", value: "whole", checked: faces.length === 0 });
  list.append(h("label", { class: "choice" }, whole, h("span", {}, "The whole picture")));
  if (faces.length === 0) list.append(h("p", { class: "hint" }, "No face was found."));
  list.onchange = () => draw(picture, faces);
  the("faces", HTMLElement).hidden = false;
  draw(picture, faces);
}

/** The face that is chosen; nothing for the whole picture. */
export function chosenFace(faces: Face[]): { face: Face; name: string } | undefined {
  const value = the("face-list", HTMLFieldSetElement).querySelector<HTMLInputElement>("input:checked")?.value;
  const face = faces[Number(value)];
  return face === undefined ? undefined : { face, name: `face ${Number(value) + 1}` };
}

function entry(picture: Picture, face: Face, index: number): HTMLElement[] {
  const radio = h("input", { type: "radio", name: "face", value: index, checked: index === 0 });
  const thumbnail = h("canvas", { width: THUMBNAIL, height: THUMBNAIL, "aria-hidden": "true" });
  const [width, height] = [face.right - face.left, face.bottom - face.top];
  if (picture.bitmap !== undefined) {
    const side = Math.max(width, height);
    const [x, y] = [(face.left + face.right - side) / 2, (face.top + face.bottom - side) / 2];
    thumbnail.getContext("2d")?.drawImage(picture.bitmap, x, y, side, side, 0, 0, THUMBNAIL, THUMBNAIL);
  }
  const text = `Face ${index + 1}: ${width.toFixed(0)} × ${height.toFixed(0)} pixels, ${percent(face.score)} sure`;
  const warnings = face.warnings.map((warning) => h("p", { class: "hint" }, warning));
  return [h("label", { class: "choice" }, radio, thumbnail, h("span", {}, text)), ...warnings];
}

/** The picture with a numbered box around each face; the chosen one's is strong. */
function draw(picture: Picture, faces: Face[]): void {
  const shown = the("shown", HTMLElement);
  const { bitmap } = picture;
  if (bitmap === undefined) {
    shown.replaceChildren(h("p", { class: "hint" }, "This browser cannot show the picture."));
    return;
  }
  const scale = SIDE / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale))) as [number, number];
  const found = faces.length === 1 ? "one face" : `${faces.length} faces`;
  const canvas = h("canvas", { width, height, role: "img", "aria-label": `The picture ${picture.name} with ${found}` });
  const brush = canvas.getContext("2d");
  if (brush === null) return;
  brush.drawImage(bitmap, 0, 0, width, height);
  const chosen = chosenFace(faces)?.face;
  const unit = Math.max(width, height) / 180;
  faces.forEach((face, index) => {
    const [x, y, w, z] = [face.left, face.top, face.right - face.left, face.bottom - face.top].map((v) => v * scale) as [number, number, number, number];
    // Dark under light, to be seen on any picture.
    for (const [colour, line] of [["#000", 1.6], [face === chosen ? "#ffd54a" : "#fff", 0.8]] as const) {
      brush.strokeStyle = colour;
      brush.lineWidth = unit * line * (face === chosen ? 1.5 : 1);
      brush.strokeRect(x, y, w, z);
    }
    brush.font = `bold ${5 * unit}px system-ui, sans-serif`;
    brush.fillStyle = "#000";
    brush.fillRect(x, y, 5 * unit, 6 * unit);
    brush.fillStyle = "#fff";
    brush.fillText(String(index + 1), x + unit, y + 5 * unit);
  });
  shown.replaceChildren(canvas);
}
