// Elements, without a framework: text is always text, so that nothing that a server or a file says becomes markup.

type Child = Node | string | null | undefined | false;
type Properties = Record<string, string | number | boolean | EventListener>;

/** An element with its attributes, listeners (`onclick`) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Properties = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child instanceof Node || typeof child === "string"));
  return element;
}

/** The element of the document with this id, which is there. */
export function the<T extends HTMLElement>(id: string, kind: new () => T): T {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`the document has no ${id}`);
}

/** A table with a caption; the first cell of a row is its heading. */
export function table(caption: string, heads: string[], rows: (string | Node)[][]): HTMLElement {
  const head = h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) =>
    h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((cell) => h("td", {}, cell))),
  );
  const made = h("table", {}, h("caption", {}, caption), h("thead", {}, head), h("tbody", {}, ...body));
  // A wide table scrolls for itself, by keyboard as well.
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, made);
}

/** Options of a list, the first of which is chosen. */
export function options(select: HTMLSelectElement, groups: [string, [string, string][]][]): void {
  select.replaceChildren(
    ...groups.flatMap(([label, choices]) => {
      const made = choices.map(([value, text]) => h("option", { value }, text));
      return label === "" ? made : [h("optgroup", { label }, ...made)];
    }),
  );
}
