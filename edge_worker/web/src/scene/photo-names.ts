// The owner's file names in place of the names that the server gave the photos.
// For text only: without the list, the server's names are shown.
import type { StoredPhoto } from "../../../shared/contracts/api.ts";
import { api } from "../api/api.ts";
import { useLoad } from "../api/use-load.ts";

export type PhotoNames = (serverName: string) => string;

export const stem = (name: string): string => name.replace(/\.[^.]*$/, "");

/** Compares stems, because the worker may change a photo's extension (HEIC becomes JPEG). A frame is its clip's name and a time. */
export function photoNames(photos: readonly StoredPhoto[]): PhotoNames {
  const names = new Map(photos.map(({ as, name }) => [stem(as), name]));
  return (serverName) => {
    const [file = "", ...time] = serverName.split(" ");
    const own = names.get(stem(file));
    return own === undefined ? serverName : [own, ...time].join(" ");
  };
}

/** A message from the worker with the owner's file names in place of the server's (0001.jpg). */
export function inOwnNames(sentence: string, names: PhotoNames): string {
  return sentence.replaceAll(/\b\d{4,}\.\w+\b/g, (serverName) => names(serverName));
}

/** The stored photos, empty while they load. on: what they are loaded again for. */
export function usePhotos(projectId: string, on: readonly unknown[] = []): readonly StoredPhoto[] {
  return useLoad(() => api.photos(projectId), [projectId, ...on]).value?.photos ?? [];
}
