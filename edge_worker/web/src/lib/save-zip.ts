// Several files of the server as one zip, made in the browser: the server only sends the files.
// The archive is not compressed, since scenes and photos already are.
import { lazily } from "./lazy.ts";

export interface Entry {
  /** In the archive. */
  name: string;
  url: string;
}

/** Downloads each file in turn, then saves the archive under `name`. Throws if one cannot be downloaded. onDone: after each file. */
export async function saveZip(name: string, entries: readonly Entry[], onDone: (done: number) => void): Promise<void> {
  const { downloadZip } = await lazily(() => import("client-zip"));
  async function* files() {
    for (const [i, entry] of entries.entries()) {
      const response = await fetch(entry.url, { credentials: "same-origin" });
      if (!response.ok) throw new Error(`${entry.name}: ${response.status}`);
      yield { name: entry.name, input: response };
      onDone(i + 1);
    }
  }
  save(name, await downloadZip(files()).blob());
}

/** Names of one archive are unique: a second "a.jpg" becomes "a (2).jpg". */
export function uniquely(names: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return names.map((name) => {
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    const dot = name.lastIndexOf(".");
    return count === 1 ? name : dot > 0 ? `${name.slice(0, dot)} (${count})${name.slice(dot)}` : `${name} (${count})`;
  });
}

function save(name: string, file: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser reads it after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
