// Keys of objects in the bucket. Nothing that a user names goes into one.
import type { OutputName } from "../../shared/contracts/job-input.ts";

export const keys = {
  project: (projectId: string): string => `projects/${projectId}/`,
  photos: (projectId: string): string => `projects/${projectId}/photos/`,
  photo: (projectId: string, as: string): string => `projects/${projectId}/photos/${as}`,
  attempt: (projectId: string, attempt: number): string => `projects/${projectId}/attempts/${attempt}/`,
  output: (projectId: string, attempt: number, name: OutputName): string =>
    `projects/${projectId}/attempts/${attempt}/${name}`,
  checkpoint: (projectId: string): string => `projects/${projectId}/checkpoint`,
};
