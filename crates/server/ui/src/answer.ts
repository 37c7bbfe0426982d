// What came of an explanation: sentences first, then what they rest on.

import { toJsonString, create } from "@bufbuild/protobuf";
import { CounterfactualEnd, SentenceKind, type Counterfactual } from "../gen/unmask/v1/finding_pb";
import { ExplainResponseSchema, Truncation, type ExplainResponse } from "../gen/unmask/v1/explanation_service_pb";
import { h, table } from "./dom";
import { count, decision, list, number, part, percent, place, replaced, time, words } from "./words";

/** All of it, in the order in which it is to be read. */
export function answer(said: ExplainResponse, stem: string): HTMLElement[] {
  const blocks = [sentences(said), warnings(said), found(said), checks(said), counterfactual(said.counterfactual), numbers(said)];
  return [...blocks.filter((block) => block !== undefined), downloads(said, stem)];
}

function sentences(said: ExplainResponse): HTMLElement {
  const told = said.sentences.map((sentence) =>
    h("p", { class: sentence.kind === SentenceKind.LIMIT ? "limit" : "" }, sentence.text),
  );
  if (told.length === 0) told.push(h("p", {}, `The model says: ${decision(said.prediction)}.`));
  return h("div", { class: "sentences" }, ...told);
}

function warnings(said: ExplainResponse): HTMLElement | undefined {
  if (said.warnings.length === 0) return undefined;
  return h("div", { class: "warnings" }, h("h4", {}, "Before you trust it"), h("ul", {}, ...said.warnings.map((text) => h("li", {}, text))));
}

function found(said: ExplainResponse): HTMLElement | undefined {
  const shares = (one: { evidenceShare: number; areaShare: number }) => [percent(one.evidenceShare), percent(one.areaShare)];
  if (said.parts.length > 0) {
    const rows = said.parts.map((p) => [p.standsOut ? h("strong", {}, part(p.part)) : part(p.part), ...shares(p), p.standsOut ? "yes" : ""]);
    return table("Parts of the face", ["Part", "Of the evidence", "Of the area", "Stands out"], rows);
  }
  if (said.regions.length === 0) return undefined;
  const rows = said.regions.map((r) => [String(r.rank), place(r.box), ...shares(r)]);
  return table("Regions, in pixels of the picture", ["Rank", "Where", "Of the evidence", "Of the area"], rows);
}

function checks(said: ExplainResponse): HTMLElement | undefined {
  if (said.checks.length === 0) return undefined;
  const rows = said.checks.map((c) => [replaced(c.kind), percent(c.areaShare), decision(c.prediction)]);
  return table("What the model says where something is replaced", ["Replaced", "Of the area", "Then it says"], rows);
}

function counterfactual(said: Counterfactual | undefined): HTMLElement | undefined {
  if (said === undefined) return undefined;
  const block = h("div", {}, h("h4", {}, "Smallest change that changes the decision"));
  if (said.end !== CounterfactualEnd.FOUND) {
    const whys: Partial<Record<CounterfactualEnd, string>> = {
      [CounterfactualEnd.NONE]: "No set of the regions that were tried changes the decision.",
      [CounterfactualEnd.PASSES]: "The passes ran out before a set was found that changes the decision.",
      [CounterfactualEnd.DEADLINE]: "The deadline came first.",
    };
    const why = whys[said.end] ?? "The search ended in a way that this page does not know.";
    block.append(h("p", {}, `${why} ${count(said.passes)} passes, ${said.candidates} regions.`));
    return block;
  }
  const names = said.parts.length > 0 ? list(said.parts.map(part)) : `region ${list(said.labels.map(String))}`;
  const least = said.smallest ? ` No smaller set of the ${said.candidates} that were tried does.` : "";
  block.append(h("p", {}, `With ${names} replaced (${percent(said.areaShare)} of the area) the model says: ${decision(said.prediction)}.${least}`));
  if (said.imagePng.length > 0) {
    const src = address(said.imagePng, "image/png");
    // What is shown stays.
    const shown = () => URL.revokeObjectURL(src);
    block.append(h("img", { src, alt: `What the model saw with ${names} replaced`, class: "small", onload: shown }));
  }
  return block;
}

function numbers(said: ExplainResponse): HTMLElement {
  const { cost, resolved, timings, model } = said;
  const rows: [string, string | HTMLElement][] = [
    ["The model says", decision(said.prediction)],
    ["Explained", `${said.target?.label ?? ""}: ${number(said.target?.value ?? NaN)}`],
    ["Method", name(resolved?.method?.preset, resolved?.method?.kind.case)],
    ["Hidden regions", name("", resolved?.fill?.kind.case)],
    ["Seed", String(resolved?.seed ?? 0n)],
    ["Passes of the model", `${count(cost?.run ?? 0n)} run of ${count(cost?.announced ?? 0n)} announced`],
    ["Time", time(timings?.totalMs ?? 0)],
  ];
  if (said.error !== undefined) rows.push(["Largest error of a region", percent(said.error)]);
  if (said.steadiness !== undefined) rows.push(["Correlation with another seed", number(said.steadiness.correlation, 2)]);
  if (said.truncatedBy !== Truncation.UNSPECIFIED) rows.push(["Ended early by", `the ${words(Truncation[said.truncatedBy] ?? "")}`]);
  rows.push(["Model", `${model?.name} ${model?.version}`], ["SHA-256 of the model", h("code", {}, model?.sha256 ?? "")], ["Request", h("code", {}, said.requestId)]);
  const terms = rows.flatMap(([term, value]) => [h("dt", {}, term), h("dd", {}, value)]);
  const scores = said.prediction?.scores.map((s) => [s.label, percent(s.probability), number(s.logit)]) ?? [];
  return h("details", {}, h("summary", {}, "Numbers"), h("dl", {}, ...terms), table("Scores of all classes", ["Class", "Probability", "Logit"], scores));
}

function name(preset: string | undefined, kind: string | undefined): string {
  const plain = (kind ?? "").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return preset === undefined || preset === "" ? plain : `${plain} (${preset})`;
}

function downloads(said: ExplainResponse, stem: string): HTMLElement {
  const json = () => {
    const text = toJsonString(ExplainResponseSchema, withoutPixels(said), { prettySpaces: 2, useProtoFieldName: true });
    save(new TextEncoder().encode(`${text}\n`), "application/json", `${stem}.json`);
  };
  const overlay = said.overlayPng;
  return h(
    "p",
    { class: "row" },
    h("button", { type: "button", class: "plain", onclick: json }, "Save as JSON"),
    overlay.length > 0 && h("button", { type: "button", class: "plain", onclick: () => save(overlay, "image/png", `${stem}.overlay.png`) }, "Save overlay"),
  );
}

/** The answer without any pixel of the picture. */
function withoutPixels(said: ExplainResponse): ExplainResponse {
  const none = new Uint8Array();
  const found = said.counterfactual && { ...said.counterfactual, imagePng: none };
  return create(ExplainResponseSchema, { ...said, heatMapPng: none, overlayPng: none, fillPng: none, counterfactual: found });
}

/** An address under which the page itself shows bytes. */
function address(bytes: Uint8Array, type: string): string {
  return URL.createObjectURL(new Blob([bytes.slice()], { type }));
}

function save(bytes: Uint8Array, type: string, file: string): void {
  const href = address(bytes, type);
  h("a", { href, download: file }).click();
  // The browser has taken the bytes when it comes to this.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
