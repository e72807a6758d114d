// Keys of objects in the bucket. They contain no name that a user chose.
import type { OutputName } from "../../shared/contracts/job-input.ts";

export const keys = {
  project: (projectId: string): string => `projects/${projectId}/`,
  photos: (projectId: string): string => `projects/${projectId}/photos/`,
  photo: (projectId: string, as: string): string => `projects/${projectId}/photos/${as}`,
  thumbnail: (projectId: string, as: string): string => `projects/${projectId}/thumbnails/${as.replace(/\.\w+$/, "")}.jpg`,
  attempt: (projectId: string, attempt: number): string => `projects/${projectId}/attempts/${attempt}/`,
  output: (projectId: string, attempt: number, name: OutputName): string =>
    `projects/${projectId}/attempts/${attempt}/${name}`,
  cover: (projectId: string, attempt: number, cover: number, size: "large" | "small"): string =>
    `projects/${projectId}/attempts/${attempt}/covers/${cover}-${size}.jpg`,
  checkpoint: (projectId: string): string => `projects/${projectId}/checkpoint`,
};
