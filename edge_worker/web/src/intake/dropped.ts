// Files from a drop or a file input, including all files in dropped folders.
// Never filters: rules.ts decides later which files are photos.

export interface DroppedFile {
  file: File;
  path: string;
}

export function fromInput(input: HTMLInputElement): DroppedFile[] {
  return Array.from(input.files ?? [], (file) => ({ file, path: file.webkitRelativePath || file.name }));
}

/** Call it inside the drop event: the browser discards the entries afterwards. */
export async function fromDrop(transfer: DataTransfer): Promise<DroppedFile[]> {
  const entries = Array.from(transfer.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return Array.from(transfer.files, (file) => ({ file, path: file.name }));
  const found = await Promise.all(entries.map(walk));
  return found.flat().toSorted((a, b) => a.path.localeCompare(b.path, undefined, { numeric: true }));
}

async function walk(entry: FileSystemEntry): Promise<DroppedFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const children: FileSystemEntry[] = [];
  // A reader returns at most 100 entries per call, and an empty list at the end.
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) break;
    children.push(...some);
  }
  return (await Promise.all(children.map(walk))).flat();
}
