// The form: which model, by which method, within which limits.

import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { ExplainRequestSchema, Output, type ListMethodsResponse } from "../gen/unmask/v1/explanation_service_pb";
import { FillSchema, MethodSchema, type CatalogueEntry, type Fill, type Method } from "../gen/unmask/v1/method_pb";
import { ExpectedPicture, ModelState, ModelTask, type Model } from "../gen/unmask/v1/model_pb";
import type { Face } from "../gen/unmask/v1/face_pb";
import { options, the } from "./dom";
import { list, words } from "./words";

const model = the("model", HTMLSelectElement);
const method = the("method", HTMLSelectElement);
const fill = the("fill", HTMLSelectElement);
const other = the("other", HTMLSelectElement);
const passes = the("passes", HTMLInputElement);
const seed = the("seed", HTMLInputElement);
const counterfactual = the("counterfactual", HTMLInputElement);

/** Shows what the server has. */
export function showCatalogue(models: Model[], catalogue: ListMethodsResponse): void {
  const states = [ModelState.SERVING, ModelState.NOT_LOADED];
  const usable = models.filter((m) => m.task === ModelTask.CLASSES && states.includes(m.state));
  // The default comes first, and is chosen.
  usable.sort((a, b) => Number(b.isDefault) - Number(a.isDefault));
  options(model, [["", usable.map((m) => [`${m.version?.name}@${m.version?.version}`, `${m.version?.name} ${m.version?.version}`])]]);
  hint("model", (value) => about(usable.find((m) => `${m.version?.name}@${m.version?.version}` === value)));

  const presets = [...catalogue.presets].sort((a, b) => Number(b.isDefault) - Number(a.isDefault));
  const groups: [string, [string, string][]][] = [
    ["By measured quality", presets.map((p) => [`preset ${p.name}`, p.name.replace(/@.*/, "")])],
    ["Methods", catalogue.methods.map((m) => [`kind ${m.name}`, words(m.name)])],
  ];
  options(method, groups);
  options(other, groups);
  const summaries = new Map<string, string>([
    ...presets.map((p) => [`preset ${p.name}`, p.summary] as const),
    ...catalogue.methods.map((m) => [`kind ${m.name}`, `${m.summary} ${cost(m)}`] as const),
  ]);
  hint("method", (value) => summaries.get(value) ?? "");

  // A picture of the caller's as a fill would need a second one.
  const fills = catalogue.fills.filter((f) => f.name !== "image");
  options(fill, [["", [["", "what the method takes"], ...fills.map((f): [string, string] => [f.name, words(f.name)])]]]);
  hint("fill", (value) => fills.find((f: CatalogueEntry) => f.name === value)?.summary ?? "");
  the("question", HTMLFormElement).hidden = false;
}

/** Tells of the model, where another is chosen. */
export function onModel(changed: () => void): void {
  model.addEventListener("change", changed);
}

/** What was asked for: all of a request but its picture. */
export interface Question {
  title: string;
  request: MessageInitShape<typeof ExplainRequestSchema>;
}

/** The model that is chosen. */
export function chosenModel(): { name: string; version: string } {
  const [name = "", version = ""] = model.value.split("@");
  return { name, version };
}

/** Reads the form. */
export function question(face: Face | undefined): Question {
  const kind = fill.value === "" ? undefined : create(FillSchema, { kind: { case: camel(fill.value), value: {} } as Fill["kind"] });
  const [most, start] = [whole(passes), whole(seed)];
  return {
    title: title(method),
    request: {
      model: chosenModel(),
      method: chosen(method),
      fill: kind,
      seed: start ?? 0n,
      budget: most === undefined ? undefined : { maxPasses: most },
      outputs: [Output.OVERLAY, Output.SENTENCES],
      crop: face?.crop,
      face: face?.landmarks === undefined ? undefined : { kind: { case: "landmarks", value: face.landmarks } },
      counterfactual: counterfactual.checked ? {} : undefined,
    },
  };
}

/** The same by the method that is chosen to compare with, and by that method's own fill. */
export function otherwise(asked: Question): Question {
  return { title: title(other), request: { ...asked.request, method: chosen(other), fill: undefined } };
}

/** Names another method than the one that was asked for, as something to compare with. */
export function suggestOther(): void {
  if (other.value === method.value) other.selectedIndex = other.selectedIndex === 0 ? 1 : 0;
}

/** Passes of a method as the formula of its parameters, with their values. */
function cost({ passes, parameters }: CatalogueEntry): string {
  const used = parameters.filter(({ name }) => new RegExp(`\\b${name}\\b`).test(passes));
  const values = used.map(({ name, defaultValue }) => `${words(name)} = ${defaultValue}`);
  const [only] = used;
  if (only !== undefined && passes === only.name) return `${only.defaultValue} passes.`;
  return `Passes: ${words(passes)}${values.length > 0 ? `, where ${list(values)}` : ""}.`;
}

function title(select: HTMLSelectElement): string {
  return select.selectedOptions[0]?.textContent ?? "";
}

function chosen(select: HTMLSelectElement): Method {
  const [sort = "", name = ""] = select.value.split(" ");
  if (sort === "preset") return create(MethodSchema, { preset: name });
  return create(MethodSchema, { kind: { case: camel(name), value: {} } as Method["kind"] });
}

/** A field of the contract as the generated code names it. */
function camel(name: string): string {
  return name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}

/** A field's number. What is none is told by the browser, at the field. */
function whole(field: HTMLInputElement): bigint | undefined {
  const text = field.value.replaceAll(/\s/g, "");
  return text === "" ? undefined : BigInt(text);
}

for (const field of [passes, seed]) {
  field.addEventListener("input", () => {
    const text = field.value.replaceAll(/\s/g, "");
    // What fits into the message; whether it is allowed is said by the server.
    const fits = text === "" || (/^\d{1,20}$/.test(text) && BigInt(text) < 1n << 64n);
    field.setCustomValidity(fits ? "" : "Give a whole number, or leave it empty.");
  });
}

function hint(id: "model" | "method" | "fill", text: (value: string) => string): void {
  const select = the(id, HTMLSelectElement);
  const tell = () => the(`${id}-hint`, HTMLElement).replaceChildren(text(select.value));
  select.onchange = tell;
  tell();
}

function about(model: Model | undefined): string {
  if (model === undefined) return "No model serves.";
  const wants = model.expectedPicture === ExpectedPicture.FACE ? " It expects a face." : "";
  return `${model.summary}${wants}`;
}

/** Asks the browser to tell what is wrong with the form. */
export function isRight(): boolean {
  const form = the("question", HTMLFormElement);
  const wrong = form.querySelector(":invalid");
  // A field in what is folded cannot be told of.
  wrong?.closest("details")?.setAttribute("open", "");
  return form.reportValidity();
}

