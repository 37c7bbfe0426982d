// The page: a picture, a face of it, a question, and answers side by side.

import type { Face } from "../gen/unmask/v1/face_pb";
import { Card, tell } from "./card";
import { explanations, models, use } from "./client";
import { the } from "./dom";
import { isOfRequest, notice, wantsToken } from "./errors";
import { chosenFace, showFaces } from "./faces";
import { measure } from "./measure";
import { onPicture, type Picture } from "./picture";
import { chosenModel, isRight, onModel, otherwise, question, showCatalogue, suggestOther, type Question } from "./question";

const cards = the("cards", HTMLElement);
const compare = the("compare", HTMLFormElement);
const measured = the("measured", HTMLElement);
const status = the("picture-status", HTMLElement);

/** What is asked about. */
let picture: Picture | undefined;
let faces: Face[] = [];
/** What was asked, with its answers: one, or two to compare. */
let asked: { picture: Picture; question: Question; part: string; answers: Card[] } | undefined;
/** Counts pictures, so that the answer of one that was exchanged meanwhile is let go. */
let turn = 0;

/** Reads what the server has. */
async function start(): Promise<void> {
  try {
    const [served, catalogue] = await Promise.all([models.listModels({}), explanations.listMethods({})]);
    the("notice", HTMLElement).replaceChildren();
    showCatalogue(served.models, catalogue);
    if (picture !== undefined) await look(picture);
  } catch (error) {
    the("notice", HTMLElement).replaceChildren(notice("The server does not say what it has", error));
    if (wantsToken(error)) askForToken();
  }
}

function askForToken(): void {
  the("token-form", HTMLFormElement).hidden = false;
  the("token", HTMLInputElement).focus();
}

the("token-form", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  const field = the("token", HTMLInputElement);
  use(field.value);
  field.value = "";
  the("token-form", HTMLFormElement).hidden = true;
  void start();
});

/** Looks for faces, and shows what there is. Where none can be looked for, the whole picture is left. */
async function look(chosen: Picture): Promise<void> {
  const mine = ++turn;
  const said = the("picture-notice", HTMLElement);
  said.replaceChildren();
  status.textContent = `${chosen.name}: looking for faces`;
  the("faces", HTMLElement).hidden = true;
  try {
    const found = await explanations.detectFaces({ image: chosen.bytes, model: chosenModel() });
    if (mine !== turn) return;
    faces = found.faces;
    status.textContent = `${chosen.name}: ${found.displayedWidth} × ${found.displayedHeight} pixels, ${faces.length === 1 ? "one face" : `${faces.length} faces`}`;
  } catch (error) {
    if (mine !== turn) return;
    faces = [];
    status.textContent = "";
    said.replaceChildren(notice(`${chosen.name} was not looked at`, error));
    if (wantsToken(error)) askForToken();
    // A picture that cannot be read cannot be explained either.
    if (isOfRequest(error)) {
      picture = undefined;
      return;
    }
  }
  showFaces(chosen, faces);
}

onPicture((chosen) => {
  picture = chosen;
  void look(chosen);
});
onModel(() => {
  if (picture !== undefined) void look(picture);
});

/** Asks and shows the answer beside those that are there. */
async function explain(card: Card): Promise<void> {
  the("nothing", HTMLElement).hidden = true;
  cards.append(card.element);
  cards.classList.toggle("two", cards.childElementCount > 1);
  measured.hidden = true;
  the("figures", HTMLElement).replaceChildren();
  try {
    await card.run();
  } catch (error) {
    if (wantsToken(error)) askForToken();
    return;
  }
  const answers = asked?.answers.filter((answer) => answer.said !== undefined) ?? [];
  // Of two, both have to be there.
  measured.hidden = answers.length < 2;
  if (compare.hidden) suggestOther();
  compare.hidden = answers.length === 0;
}

the("question", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  if (!isRight()) return;
  if (picture === undefined) {
    status.textContent = "Choose a picture first.";
    tell("Choose a picture first");
    the("file", HTMLInputElement).focus();
    return;
  }
  asked?.answers.forEach((answer) => answer.cancel());
  const face = chosenFace(faces);
  const part = face?.name ?? "the whole picture";
  const wanted = question(face?.face);
  const card = new Card(picture, wanted, part);
  asked = { picture, question: wanted, part, answers: [card] };
  cards.replaceChildren();
  compare.hidden = true;
  void explain(card);
});

compare.addEventListener("submit", (event) => {
  event.preventDefault();
  if (asked === undefined) return;
  const [first, second] = asked.answers;
  second?.cancel();
  second?.element.remove();
  const card = new Card(asked.picture, otherwise(asked.question), asked.part);
  asked.answers = first === undefined ? [card] : [first, card];
  void explain(card);
});

the("measure", HTMLButtonElement).addEventListener("click", () => {
  if (asked !== undefined) void measure(asked.picture, asked.answers);
});

void start();
