// Errors as sentences: every wrong field by its name, and what to do.

import { Code, ConnectError } from "@connectrpc/connect";
import { BadRequestSchema, RequestInfoSchema } from "../gen/google/rpc/error_details_pb";
import { h } from "./dom";
import { words } from "./words";

/** Fields of requests as the page calls them; of a longer path the first that fits. */
const FIELDS: [string, string][] = [
  ["image", "Picture"],
  ["crop", "Part of the picture"],
  ["face", "Face"],
  ["model", "Model"],
  ["method", "Method"],
  ["fill", "Hidden regions"],
  ["budget.max_passes", "Most passes"],
  ["budget", "Budget"],
  ["seed", "Seed"],
  ["counterfactual", "Smallest change"],
  ["outputs", "Outputs"],
  ["plan", "Measurement"],
];

/** Whether the server wants to know who asks. */
export function wantsToken(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Unauthenticated;
}

/** Whether a wrong field is why, and nothing else. */
export function isOfRequest(error: unknown): boolean {
  return ConnectError.from(error).code === Code.InvalidArgument;
}

/** Whether whoever asked has given up. */
export function isCancelled(error: unknown): boolean {
  return ConnectError.from(error).code === Code.Canceled;
}

/** What went wrong, for the person who has to mend it. */
export function notice(doing: string, thrown: unknown): HTMLElement {
  const error = ConnectError.from(thrown);
  const violations = error.findDetails(BadRequestSchema).flatMap((detail) => detail.fieldViolations);
  const id = error.findDetails(RequestInfoSchema)[0]?.requestId ?? "";
  const said = violations.map(({ field, description }) => {
    // Of a stream the fields lie below its request.
    const path = field.replace(/^request\./, "");
    const own = FIELDS.find(([name]) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`));
    return h("li", {}, h("strong", {}, own?.[1] ?? words(path)), `: ${description}`);
  });
  return h(
    "div",
    { class: "notice", role: "alert" },
    h("p", {}, `${doing}: ${said.length > 0 ? "something has to be changed." : reason(error)}`),
    said.length > 0 && h("ul", {}, ...said),
    id !== "" && h("p", { class: "hint" }, `The server's log knows more under ${id}.`),
  );
}

function reason(error: ConnectError): string {
  switch (error.code) {
    case Code.Unavailable:
      return `${error.rawMessage}. The same can be asked again.`;
    case Code.ResourceExhausted:
      return `the server is full or the picture too large (${error.rawMessage}).`;
    case Code.Unauthenticated:
      return `the server wants to know who asks (${error.rawMessage}).`;
    case Code.Unknown:
    case Code.Internal:
      return `${error.rawMessage}. If the server still runs, the picture may be larger than it takes.`;
    default:
      return `${error.rawMessage}.`;
  }
}
