// One explanation: its progress, its map while it sharpens, and its answer.

import { create } from "@bufbuild/protobuf";
import { BoxSchema } from "../gen/unmask/v1/picture_pb";
import type { ExplainProgress, ExplainResponse } from "../gen/unmask/v1/explanation_service_pb";
import { answer } from "./answer";
import { explanations } from "./client";
import { h, the } from "./dom";
import { isCancelled, notice } from "./errors";
import { Stage } from "./map";
import type { Picture } from "./picture";
import type { Question } from "./question";
import { count, time } from "./words";

/** Says something to whoever listens instead of looking. */
export function tell(text: string): void {
  the("told", HTMLElement).textContent = text;
}

/** An explanation that is under way or done. */
export class Card {
  readonly element: HTMLElement;
  /** The answer, where it has come. */
  said: ExplainResponse | undefined;
  readonly title: string;
  readonly #heading: HTMLElement;
  readonly #bar = h("progress", { "aria-label": "Passes of the model" });
  readonly #line = h("p", { class: "hint progress" }, "Sent to the server");
  readonly #cancel: HTMLButtonElement;
  readonly #outcome = h("div", { class: "outcome" });
  readonly #ends = new AbortController();
  readonly #picture: Picture;
  readonly #question: Question;
  readonly #stage: Stage | undefined;
  #quarter = 0;

  constructor(picture: Picture, question: Question, part: string) {
    this.#picture = picture;
    this.#question = question;
    this.title = question.title;
    this.#heading = h("h3", { tabindex: "-1" }, question.title);
    this.#cancel = h("button", { type: "button", class: "plain", onclick: () => this.cancel() }, "Cancel");
    const { bitmap } = picture;
    const crop = create(BoxSchema, question.request.crop ?? { x: 0, y: 0, width: bitmap?.width ?? 0, height: bitmap?.height ?? 0 });
    this.#stage = bitmap && new Stage(bitmap, crop, `${part} of ${picture.name}, with the map of ${question.title} over it`);
    this.element = h(
      "article",
      { class: "panel card" },
      this.#heading,
      this.#bar,
      h("div", { class: "row" }, this.#line, this.#cancel),
      this.#stage?.element,
      this.#outcome,
    );
  }

  /** Gives it up; its place on the server is free again. */
  cancel(): void {
    this.#ends.abort();
  }

  /** Asks, and shows what comes until the answer has. */
  async run(): Promise<void> {
    try {
      const request = { ...this.#question.request, image: this.#picture.bytes };
      tell(`${this.title} has begun`);
      for await (const { kind } of explanations.explainStream({ request }, { signal: this.#ends.signal })) {
        if (kind.case === "progress") this.#progress(kind.value);
        else if (kind.case === "partial" && kind.value.map) this.#stage?.show(kind.value.map, kind.value.reading);
        else if (kind.case === "answer") this.#finish(kind.value);
      }
    } catch (error) {
      if (isCancelled(error)) this.#outcome.replaceChildren(h("p", {}, "Cancelled."));
      else this.#outcome.replaceChildren(notice(`${this.title} has no answer`, error));
      this.#over("");
      throw error;
    }
  }

  #progress({ used, expected, remainingMs }: ExplainProgress): void {
    this.#bar.max = Math.max(1, Number(expected));
    this.#bar.value = Number(used);
    const left = remainingMs === undefined ? "" : `, about ${time(remainingMs)} left`;
    this.#line.textContent = `${count(used)} of ${count(expected)} passes${left}`;
    // Who listens is told four times, and not at each tick.
    const quarter = Math.floor((4 * Number(used)) / Math.max(1, Number(expected)));
    if (quarter > this.#quarter && quarter < 4) tell(`${this.title}: ${25 * quarter} percent`);
    this.#quarter = Math.max(quarter, this.#quarter);
  }

  #finish(said: ExplainResponse): void {
    this.said = said;
    if (said.map) this.#stage?.show(said.map, said.reading);
    const stem = `${this.#picture.name.replace(/\.[^.]*$/, "")}.${this.title.replaceAll(" ", "-")}`;
    this.#outcome.replaceChildren(...answer(said, stem));
    this.#over(`${count(said.cost?.run ?? 0n)} passes in ${time(said.timings?.totalMs ?? 0)}`);
    tell(`${this.title} is finished`);
  }

  #over(line: string): void {
    // Focus does not fall out of the page with the button that had it.
    if (document.activeElement === this.#cancel) this.#heading.focus();
    this.#bar.remove();
    this.#cancel.remove();
    this.#line.textContent = line;
    this.element.classList.add("over");
  }
}
