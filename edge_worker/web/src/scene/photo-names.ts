// People's own file names for the names that the server gave their photos.
// Never needed for anything but words: without the list, the server's names are shown.
import type { StoredPhoto } from "../../../shared/contracts/api.ts";
import { api } from "../api/api.ts";
import { useLoad } from "../api/use-load.ts";

export type PhotoNames = (serverName: string) => string;

const stem = (name: string): string => name.replace(/\.[^.]*$/, "");

/** The worker may change a photo's ending (HEIC becomes JPEG), so stems are compared. */
export function photoNames(photos: readonly StoredPhoto[]): PhotoNames {
  const names = new Map(photos.map(({ as, name }) => [stem(as), name]));
  return (serverName) => names.get(stem(serverName)) ?? serverName;
}

/** A sentence of the worker with people's own file names in place of the server's (0001.jpg). */
export function inOwnNames(sentence: string, names: PhotoNames): string {
  return sentence.replaceAll(/\b\d{4,}\.\w+\b/g, (serverName) => names(serverName));
}

export function usePhotoNames(projectId: string): PhotoNames {
  const { value } = useLoad(() => api.photos(projectId), [projectId]);
  return photoNames(value?.photos ?? []);
}
