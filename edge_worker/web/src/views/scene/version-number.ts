// The number of a version, counted from 1: attempts that made no scene have none.
import type { Project } from "../../../../shared/contracts/project.ts";

export const numberOf = (project: Project, attempt: number | null): number => project.results.findIndex((one) => one.attempt === attempt) + 1;
