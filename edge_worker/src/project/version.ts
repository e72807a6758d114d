// Conditional changes (RFC 9110, 13.1.1): a caller names the version that it read, and a newer one is not overwritten.
// Pure.
import type { Project } from "../../shared/contracts/project.ts";
import { ApiError } from "../errors.ts";

/** A strong tag of a project as the API shows it: every change moves updated_at, but for the photos that arrive. */
export function projectTag({ updated_at, photos }: Pick<Project, "updated_at" | "photos">): string {
  return `"${Date.parse(updated_at).toString(36)}-${photos.count}-${photos.bytes.toString(36)}"`;
}

/** Whether a list of tags has this one. Weak tags never match: they stand for more than one version. */
function lists(header: string, tag: string): boolean {
  return header.split(",").some((one) => one.trim() === tag);
}

/** Throws PRECONDITION_FAILED unless If-Match allows a change of what has this tag. header null: no condition. */
export function requireMatch(header: string | null, tag: string): void {
  if (header === null || header.trim() === "*" || lists(header, tag)) return;
  throw new ApiError("PRECONDITION_FAILED", "The project has changed since you read it.", { hint: "Read it again, then repeat the change.", headers: { etag: tag } });
}

/** Whether the caller already has this version (If-None-Match). */
export function isKnown(header: string | undefined, tag: string): boolean {
  return header !== undefined && (header.trim() === "*" || lists(header.replaceAll("W/", ""), tag));
}
