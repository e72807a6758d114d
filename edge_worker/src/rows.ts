// Rows of an object's tables as plain data, for backup and restore. Reads them as they are; writes only columns that exist.
// Knows no table and no rule.
import { ApiError } from "./errors.ts";

export type Row = Record<string, string | number | null>;
/** Table -> its rows. */
export type Tables = Record<string, Row[]>;

export function readRows(sql: SqlStorage, table: string): Row[] {
  return sql.exec(`SELECT * FROM "${table}"`).toArray() as unknown as Row[];
}

/**
 * Adds the rows of every table, of which only `known` ones may be named. Columns that a row lacks take their default; a row with the
 * key of an existing one changes nothing. Throws CONFLICT for rows that do not fit; the caller rolls back.
 */
export function addRows(sql: SqlStorage, known: readonly string[], tables: Tables): void {
  const unknown = Object.keys(tables).find((table) => !known.includes(table));
  if (unknown !== undefined) throw doesNotFit(unknown, "this release has no such table");
  for (const [table, rows] of Object.entries(tables)) addTo(sql, table, rows);
}

function addTo(sql: SqlStorage, table: string, rows: readonly Row[]): void {
  const columns = new Set(sql.exec(`PRAGMA table_info("${table}")`).toArray().map((row) => String(row["name"])));
  for (const row of rows) {
    const names = Object.keys(row);
    const unknown = names.find((name) => !columns.has(name));
    if (unknown !== undefined) throw doesNotFit(table, `this release has no column ${unknown}`);
    try {
      sql.exec(`INSERT INTO "${table}" (${names.map((name) => `"${name}"`).join(", ")}) VALUES (${names.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`, ...Object.values(row));
    } catch (error) {
      throw doesNotFit(table, error instanceof Error ? error.message : String(error));
    }
  }
}

export function doesNotFit(what: string, why: string): ApiError {
  return new ApiError("CONFLICT", `The backup's rows of ${what} cannot be stored: ${why}.`, { hint: "Restore it with the release that made it, or a newer one." });
}
