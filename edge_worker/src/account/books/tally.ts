// Running sums over the account's projects and attempts. Triggers keep them, so they always fit the rows, also after a
// restore, and reading them costs the same with any number of projects. index-object.ts has the tables that are summed.
import { DAY_MS } from "../history.ts";

/** state: projects. outcome, stage (with seconds): attempts. started, settled (with US dollars): attempts by day since 1970, UTC. */
type Kind = "state" | "outcome" | "stage" | "started" | "settled";

export interface Sum {
  readonly n: number;
  /** In the unit of its kind. */
  readonly amount: number;
}

/** Integers, so that sums stay exact whatever is taken out again. */
const TABLE = "CREATE TABLE tally (kind TEXT NOT NULL, name NOT NULL, n INTEGER NOT NULL, millionths INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID";
const ADD = "ON CONFLICT (kind, name) DO UPDATE SET n = n + excluded.n, millionths = millionths + excluded.millionths";
const MILLION = 1e6;

const millionths = (value: string): string => `CAST(round(${value} * ${MILLION}) AS INTEGER)`;

/** What a row of `project` adds. row: new or old; sign: 1 or -1. */
const ofProject = (row: string, sign: number): string => `INSERT INTO tally VALUES ('state', ${row}.state, ${sign}, 0) ${ADD};`;

const ofJob = (row: string, sign: number): string => `
  INSERT INTO tally VALUES ('started', ${row}.started_at / ${DAY_MS}, ${sign}, 0) ${ADD};
  INSERT INTO tally SELECT 'settled', ${row}.settled_at / ${DAY_MS}, ${sign}, ${sign} * ${millionths(`${row}.usd`)} WHERE ${row}.settled_at IS NOT NULL ${ADD};
  INSERT INTO tally SELECT 'outcome', ${row}.outcome, ${sign}, 0 WHERE ${row}.outcome IS NOT NULL ${ADD};
  INSERT INTO tally SELECT 'stage', json_extract(value, '$.stage'), ${sign}, ${sign} * ${millionths("json_extract(value, '$.seconds')")}
    FROM json_each(${row}.stages) WHERE ${row}.outcome = 'done' ${ADD};`;

const TRIGGERS = `
  CREATE TRIGGER project_added AFTER INSERT ON project BEGIN ${ofProject("new", 1)} END;
  CREATE TRIGGER project_moved AFTER UPDATE OF state ON project WHEN old.state <> new.state BEGIN ${ofProject("old", -1)} ${ofProject("new", 1)} END;
  CREATE TRIGGER project_removed AFTER DELETE ON project BEGIN ${ofProject("old", -1)} END;
  CREATE TRIGGER job_added AFTER INSERT ON job BEGIN ${ofJob("new", 1)} END;
  CREATE TRIGGER job_changed AFTER UPDATE OF started_at, settled_at, outcome, usd, stages ON job BEGIN ${ofJob("old", -1)} ${ofJob("new", 1)} END;
  CREATE TRIGGER job_removed AFTER DELETE ON job BEGIN ${ofJob("old", -1)} END;`;

/** Rows of a release without these sums. */
const FILL = `
  INSERT INTO tally SELECT 'state', state, count(*), 0 FROM project GROUP BY 2;
  INSERT INTO tally SELECT 'started', started_at / ${DAY_MS}, count(*), 0 FROM job GROUP BY 2;
  INSERT INTO tally SELECT 'settled', settled_at / ${DAY_MS}, count(*), sum(${millionths("usd")}) FROM job WHERE settled_at IS NOT NULL GROUP BY 2;
  INSERT INTO tally SELECT 'outcome', outcome, count(*), 0 FROM job WHERE outcome IS NOT NULL GROUP BY 2;
  INSERT INTO tally SELECT 'stage', json_extract(value, '$.stage'), count(*), sum(${millionths("json_extract(value, '$.seconds')")})
    FROM job, json_each(job.stages) WHERE job.outcome = 'done' GROUP BY 2;`;

export class Tally {
  readonly #sql: SqlStorage;

  /** The tables `project` and `job` are in the same storage. */
  constructor(sql: SqlStorage) {
    this.#sql = sql;
    if (sql.exec("SELECT 1 FROM sqlite_master WHERE name = 'tally'").toArray().length === 0) sql.exec(`${TABLE};${FILL}${TRIGGERS}`);
  }

  /** Every sum of a kind by name, without those of nothing. */
  all(kind: Exclude<Kind, "started" | "settled">): Readonly<Record<string, Sum>> {
    const rows = this.#sql.exec("SELECT name, n, millionths FROM tally WHERE kind = ? AND n <> 0", kind);
    return Object.fromEntries([...rows].map((row) => [String(row["name"]), { n: Number(row["n"]), amount: Number(row["millionths"]) / MILLION }]));
  }

  /** Of all days from `since` (ms, where a day begins) on. */
  from(kind: "started" | "settled", since: number): Sum {
    const row = this.#sql.exec("SELECT coalesce(sum(n), 0) AS n, coalesce(sum(millionths), 0) AS sum FROM tally WHERE kind = ? AND name >= ?", kind, Math.floor(since / DAY_MS)).one();
    return { n: Number(row["n"]), amount: Number(row["sum"]) / MILLION };
  }
}
