// Which lines of src/ and shared/ the tests ran, in workerd (unit) and over HTTP (integration) together; fails below the floors.
// By lines, since the two are instrumented from different texts. A line counts as run if either layer ran it.
import { readFile, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { createCoverageMap } from "@vitest/istanbul-lib-coverage";

/** Percent of lines: of all together, and of each file. */
const FLOOR = { all: 97, file: 85 };
const root = fileURLToPath(new URL("..", import.meta.url));

/** file -> line -> how often, in the layer that ran it most. */
const lines = new Map();
for (const layer of ["unit", "integration"]) {
  const folder = path.join(root, "coverage", layer);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  if (names.length === 0) throw new Error(`${folder} is empty. Run \`npm test\`, which fills it.`);
  for (const name of names) {
    const map = createCoverageMap(JSON.parse(await readFile(path.join(folder, name), "utf8")));
    for (const file of map.files()) {
      const known = lines.get(file) ?? new Map();
      for (const [line, hits] of Object.entries(map.fileCoverageFor(file).getLineCoverage())) known.set(line, Math.max(known.get(line) ?? 0, hits));
      lines.set(file, known);
    }
  }
}

const rows = [...lines].map(([file, counts]) => {
  const missed = [...counts].filter(([, hits]) => hits === 0).map(([line]) => Number(line));
  return { file: path.relative(root, file), lines: counts.size, missed: missed.sort((a, b) => a - b), percent: percent(counts.size - missed.length, counts.size) };
});
rows.sort((a, b) => (a.file < b.file ? -1 : 1));
const all = rows.reduce((sum, row) => sum + row.lines, 0);
const ran = rows.reduce((sum, row) => sum + row.lines - row.missed.length, 0);
const total = percent(ran, all);
await writeFile(path.join(root, "coverage/summary.json"), `${JSON.stringify({ lines: all, ran, percent: total, floor: FLOOR, files: rows }, null, 1)}\n`);

for (const { file, percent: share, missed } of rows) {
  if (missed.length > 0) process.stdout.write(`${file.padEnd(28)} ${share.toFixed(1).padStart(5)} %  not run: ${missed.join(", ")}\n`);
}
process.stdout.write(`lines of src/ and shared/ that the tests ran: ${ran} of ${all}, ${total.toFixed(1)} % (floor ${FLOOR.all}; ${FLOOR.file} for each file)\n`);
const low = rows.filter(({ percent: share }) => share < FLOOR.file);
if (total < FLOOR.all || low.length > 0) {
  process.stdout.write(`below the floor: ${[...(total < FLOOR.all ? ["all together"] : []), ...low.map(({ file }) => file)].join(", ")}\n`);
  process.exit(1);
}

function percent(part, whole) {
  return whole === 0 ? 100 : (100 * part) / whole;
}
