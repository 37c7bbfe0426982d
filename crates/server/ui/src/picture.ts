// A picture from a file, a drop or the clipboard.

import { the } from "./dom";

/** What was chosen. Its bytes go to the server as they are. */
export interface Picture {
  name: string;
  bytes: Uint8Array;
  /** As displayed; nothing where the browser cannot read it, of which the server says more. */
  bitmap: ImageBitmap | undefined;
}

/** Tells of every picture that is chosen, however that is done. */
export function onPicture(chosen: (picture: Picture) => void): void {
  const input = the("file", HTMLInputElement);
  const drop = the("drop", HTMLElement);
  const read = async (file: File | undefined) => {
    if (file === undefined) return;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const bitmap = await createImageBitmap(new Blob([bytes])).catch(() => undefined);
    chosen({ name: file.name, bytes, bitmap });
  };
  input.addEventListener("change", () => void read(input.files?.[0]));
  document.addEventListener("paste", (event) => void read(event.clipboardData?.files[0]));
  // A file that misses the field must not take the place of the page.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    void read(event.dataTransfer?.files[0]);
  });
  drop.addEventListener("dragenter", () => drop.classList.add("over"));
  drop.addEventListener("dragleave", (event) => {
    if (!(event.relatedTarget instanceof Node && drop.contains(event.relatedTarget))) drop.classList.remove("over");
  });
}
