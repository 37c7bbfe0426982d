// Numbers and names as people read them.

import { FacePart, CheckKind } from "../gen/unmask/v1/finding_pb";
import type { Prediction } from "../gen/unmask/v1/result_pb";
import type { Box } from "../gen/unmask/v1/picture_pb";

/** A share as percent. */
export function percent(share: number): string {
  const rounded = Math.abs(share) < 0.0995 ? (100 * share).toFixed(1) : (100 * share).toFixed(0);
  return `${rounded.replace(/\.0$/, "")}\u00a0%`;
}

/** A number with so many digits that matter. */
export function number(value: number, digits = 3): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(digits))) : "none";
}

/** A count with thin spaces between its thousands. */
export function count(value: bigint | number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A time as words. */
export function time(milliseconds: number): string {
  if (milliseconds < 1000) return `${milliseconds.toFixed(0)} ms`;
  return milliseconds < 60_000 ? `${(milliseconds / 1000).toFixed(1)} s` : `${(milliseconds / 60_000).toFixed(1)} min`;
}

/** A name of the contract as words: "partition_shap" is "partition shap". */
export function words(name: string): string {
  return name.replaceAll("_", " ").toLowerCase();
}

/** A part of the face. */
export function part(value: FacePart): string {
  return words(FacePart[value] ?? `part ${value}`);
}

/** Several of them as one phrase. */
export function list(names: string[]): string {
  const last = names.at(-1) ?? "nothing";
  return names.length < 2 ? last : `${names.slice(0, -1).join(", ")} and ${last}`;
}

/** What a check has replaced. */
export function replaced(kind: CheckKind): string {
  switch (kind) {
    case CheckKind.FOUND_HIDDEN:
      return "what stands out";
    case CheckKind.REST_HIDDEN:
      return "everything else";
    case CheckKind.MIDDLE_HIDDEN:
      return "as much in the middle (control)";
    default:
      return words(CheckKind[kind] ?? String(kind));
  }
}

/** What the model says, in short. */
export function decision(prediction: Prediction | undefined): string {
  if (prediction === undefined) return "nothing";
  const said = prediction.fake ? "manipulated" : "real";
  const label = prediction.label === said ? "" : ` (${prediction.label})`;
  return `${said}${label}, ${percent(prediction.fakeProbability)} manipulated`;
}

/** Where a box is. */
export function place(box: Box | undefined): string {
  if (box === undefined) return "";
  return `${box.width} × ${box.height} at ${box.x}, ${box.y}`;
}
