// What a page needs to know of a clip: its length, and a picture of it.
// Reads some kilobytes, never the whole file.
import { picture } from "./picture.ts";

/** Boxes of one level; phones write about ten. */
const BOXES_MAX = 1000;
/** A browser that cannot decode the clip may never report it. */
const PICTURE_TIMEOUT_MS = 4000;

/** Length in s by the movie header (ISO/IEC 14496-12), or null where there is none: such a file is damaged. */
export async function secondsOf(file: Blob): Promise<number | null> {
  const movie = await boxIn(file, 0, file.size, "moov");
  const header = movie && (await boxIn(file, movie.begin, movie.end, "mvhd"));
  if (!header) return null;
  const view = await bytesAt(file, header.begin, 32);
  if (view.byteLength < 32) return null;
  const wide = view.getUint8(0) === 1;
  const scale = view.getUint32(wide ? 20 : 12);
  const ticks = wide ? Number(view.getBigUint64(24)) : view.getUint32(16);
  return scale > 0 && ticks > 0 ? ticks / scale : null;
}

async function boxIn(file: Blob, from: number, end: number, wanted: string): Promise<{ begin: number; end: number } | null> {
  let begin = from;
  for (let boxes = 0; boxes < BOXES_MAX && begin + 8 <= end; boxes += 1) {
    const head = await bytesAt(file, begin, 16);
    if (head.byteLength < 8) return null;
    const size = head.getUint32(0);
    const name = String.fromCharCode(head.getUint8(4), head.getUint8(5), head.getUint8(6), head.getUint8(7));
    if (size === 1 && head.byteLength < 16) return null;
    const content = begin + (size === 1 ? 16 : 8);
    const last = size === 0 ? end : begin + (size === 1 ? Number(head.getBigUint64(8)) : size);
    if (last < content || last > end) return null;
    if (name === wanted) return { begin: content, end: last };
    begin = last;
  }
  return null;
}

async function bytesAt(file: Blob, begin: number, count: number): Promise<DataView> {
  return new DataView(await file.slice(begin, begin + count).arrayBuffer());
}

/** A frame from the middle, small; null if this browser cannot decode the clip. */
export async function pictureOf(file: Blob, seconds: number): Promise<Blob | null> {
  const video = document.createElement("video");
  const address = URL.createObjectURL(file);
  try {
    video.muted = true;
    video.preload = "auto";
    video.src = address;
    video.currentTime = seconds / 2;
    const shown = await new Promise<boolean>((resolve) => {
      video.onseeked = () => resolve(true);
      video.onerror = () => resolve(false);
      setTimeout(() => resolve(false), PICTURE_TIMEOUT_MS);
    });
    return shown ? ((await picture(video))?.thumbnail ?? null) : null;
  } finally {
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(address);
  }
}
