// Backup and restore of every row: the projects and the account's books. The bucket's objects stay where they are.
// An operator's calls. A restore writes into an empty account only, unless it is allowed to replace.
import * as z from "zod/mini";

import { ACCOUNT_TABLES, type AccountTable } from "../account/backup.ts";
import { indexStub } from "../account/stub.ts";
import type { Env } from "../env.ts";
import { unwrap } from "../errors.ts";
import { endpoint, type Endpoint } from "../http/mount.ts";
import { PROJECT_ID_FORM, projectStub } from "../project/stub.ts";
import { CURSOR_FORM, readCursor } from "./projects.ts";

/** Of one call: each is a subrequest, and the free plan allows 50. */
const PROJECTS_PER_CALL = 20;
/** One project has at most 1,000 photos and a report. */
const RESTORE_BYTES_MAX = 4 * 1024 * 1024;
const ACCOUNT = "account";

/** The account, or a project's id; table -> its rows. */
const EntrySchema = z.strictObject({
  of: z.string().check(z.regex(new RegExp(`^${ACCOUNT}$|${PROJECT_ID_FORM.source}`))),
  tables: z.record(z.string(), z.array(z.record(z.string(), z.nullable(z.union([z.string(), z.number()]))))),
});
type Entry = z.infer<typeof EntrySchema>;

/** Projects first: their place in the list; then the account's tables: name and row of the last one of the page before. */
const TABLE_CURSOR_FORM = new RegExp(`^(${ACCOUNT_TABLES.join("|")})~(\\d{1,15})$`);
const BACKUP_CURSOR_FORM = new RegExp(`${CURSOR_FORM.source}|${TABLE_CURSOR_FORM.source}`);

export const backupEndpoints: readonly Endpoint[] = [
  endpoint({
    method: "GET",
    path: "/api/backup",
    access: "operate",
    summary: "Every row of all projects and of the account, in pages; no secret, and no object of the bucket",
    query: z.object({ cursor: z.optional(z.string().check(z.regex(BACKUP_CURSOR_FORM, "not a cursor from a backup"))) }),
    answers: { 200: z.object({ entries: z.array(EntrySchema), cursor: z.nullable(z.string()) }) },
    handle: async ({ c, env, query }) => {
      const [, table, after] = TABLE_CURSOR_FORM.exec(query.cursor ?? "") ?? [];
      return c.json(table === undefined ? await projectsPage(env, query.cursor) : await accountPage(env, table as AccountTable, Number(after)));
    },
  }),
  endpoint({
    method: "POST",
    path: "/api/restore",
    access: "operate",
    summary: "Rows of a backup, in any number of calls; refused where there is data already, unless overwrite; last ends it",
    body: z.strictObject({
      backup: z.string().check(z.regex(/^b_[0-9a-f]{16}$/, "the id of a backup")),
      overwrite: z.boolean(),
      last: z.boolean(),
      entries: z.array(EntrySchema).check(z.maxLength(PROJECTS_PER_CALL)),
    }),
    bodyBytesMax: RESTORE_BYTES_MAX,
    answers: { 200: z.object({ projects: z.array(z.object({ id: z.string(), result: z.enum(["restored", "kept"]), missing: z.int() })) }) },
    handle: async ({ c, env, body }) => {
      const index = indexStub(env);
      unwrap(await index.openRestore(body.backup, body.overwrite));
      const projects = [];
      for (const entry of body.entries) {
        if (entry.of === ACCOUNT) unwrap(await index.restoreRows(entry.tables));
        else projects.push({ id: entry.of, ...unwrap(await projectStub(env, entry.of).restore(entry.of, entry.tables, body.overwrite)) });
      }
      if (body.last) await index.closeRestore();
      return c.json({ projects });
    },
  }),
];

async function projectsPage(env: Env, cursor: string | undefined): Promise<{ entries: Entry[]; cursor: string }> {
  const { projects, more } = await indexStub(env).list(PROJECTS_PER_CALL, cursor === undefined ? null : readCursor(cursor));
  const tables = await Promise.all(projects.map(({ id }) => projectStub(env, id).backup()));
  const entries = projects.flatMap(({ id }, at): Entry[] => (tables[at] ? [{ of: id, tables: tables[at] }] : []));
  const last = projects.at(-1);
  return { entries, cursor: more && last !== undefined ? `${last.created_at}~${last.id}` : `${ACCOUNT_TABLES[0]}~0` };
}

async function accountPage(env: Env, table: AccountTable, after: number): Promise<{ entries: Entry[]; cursor: string | null }> {
  const { rows, next } = await indexStub(env).backupPage(table, after);
  const following = ACCOUNT_TABLES[ACCOUNT_TABLES.indexOf(table) + 1];
  return {
    entries: rows.length === 0 ? [] : [{ of: ACCOUNT, tables: { [table]: rows } }],
    cursor: next !== null ? `${table}~${next}` : following === undefined ? null : `${following}~0`,
  };
}
