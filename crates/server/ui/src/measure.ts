// Two explanations held against metrics that cost little, beside maps that have seen neither picture nor model.

import { create } from "@bufbuild/protobuf";
import type { EvaluateResponse } from "../gen/unmask/v1/evaluation_service_pb";
import { Better, MetricSchema } from "../gen/unmask/v1/metric_pb";
import { evaluations } from "./client";
import { tell, type Card } from "./card";
import { h, table, the } from "./dom";
import { notice } from "./errors";
import type { Picture } from "./picture";
import { count, number, words } from "./words";

/** Pixels that are hidden or shown at a time, of some fifty thousand: 32 steps. */
const STEP = 1568;

/** What they are held against. */
const METRICS = [
  create(MetricSchema, { kind: { case: "deletion", value: { step: STEP } } }),
  create(MetricSchema, { kind: { case: "insertion", value: { step: STEP } } }),
  create(MetricSchema, { kind: { case: "road", value: {} } }),
];

/** Asks, and shows the table. The maps are those that are shown, and are not made again. */
export async function measure(picture: Picture, cards: Card[]): Promise<void> {
  const figures = the("figures", HTMLElement);
  const titles = cards.map((card) => card.title);
  const candidates = cards.flatMap(({ title, said }, index) => {
    // Names differ, also where twice the same was asked for.
    const name = titles.indexOf(title) === index ? title : `${title} (${index + 1})`;
    return said?.map ? [{ name, kind: { case: "map" as const, value: { map: said.map, reading: said.reading } } }] : [];
  });
  const resolved = cards[0]?.said?.resolved;
  const model = cards[0]?.said?.model;
  figures.replaceChildren(h("p", { class: "hint" }, "Measuring"));
  tell("Measuring");
  try {
    const said = await evaluations.evaluate({
      image: picture.bytes,
      crop: resolved?.crop,
      plan: { model: { name: model?.name ?? "", version: model?.version ?? "" }, candidates, metrics: METRICS },
    });
    figures.replaceChildren(shown(said), h("p", { class: "hint" }, `${count(said.cost?.run ?? 0n)} passes of the model.`));
    tell("Both are measured");
  } catch (error) {
    figures.replaceChildren(notice("Nothing was measured", error));
  }
}

function shown(said: EvaluateResponse): HTMLElement {
  const [first] = said.evaluated;
  const heads = first?.results.flatMap((result) =>
    result.figures.map((figure) => `${words(figure.name)} (${figure.better === Better.LOWER ? "lower" : "higher"} is better)`),
  );
  const rows = said.evaluated.map((one) => [
    one.control ? `${one.name} (control)` : h("strong", {}, one.name),
    ...one.results.flatMap((result) => result.figures.map((figure) => (figure.value === undefined ? figure.missing : number(figure.value)))),
  ]);
  return table("Maps under the same metrics", ["Map", ...(heads ?? [])], rows);
}
