// Sends due cron events to the deployed scripts, once a minute.
// Times are UTC, as on the platform; a missed minute is skipped.

const FIELD_BOUNDS = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 7],
];

/** Whether a five-field cron expression is due in the minute of `at` (UTC). Throws on an invalid expression. */
export function isDue(expression, at) {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== FIELD_BOUNDS.length) throw new Error(`cron "${expression}" has ${fields.length} fields, expected 5.`);
  const [minute, hour, day, month, weekday] = fields.map((field, index) => expand(field, ...FIELD_BOUNDS[index]));
  const weekdayDue = weekday.has(at.getUTCDay()) || (at.getUTCDay() === 0 && weekday.has(7));
  const dayDue = day.has(at.getUTCDate());
  // With both day fields set, one of the two is enough, as in every cron.
  const dateDue = fields[2] === "*" || fields[4] === "*" ? dayDue && weekdayDue : dayDue || weekdayDue;
  return minute.has(at.getUTCMinutes()) && hour.has(at.getUTCHours()) && month.has(at.getUTCMonth() + 1) && dateDue;
}

function expand(field, low, high) {
  const values = new Set();
  for (const part of field.split(",")) {
    const match = /^(\*|\d+)(?:-(\d+))?(?:\/(\d+))?$/.exec(part);
    if (!match) throw new Error(`cron field "${part}" is not valid.`);
    const step = Number(match[3] ?? 1);
    const from = match[1] === "*" ? low : Number(match[1]);
    const to = match[2] !== undefined ? Number(match[2]) : match[1] === "*" || match[3] !== undefined ? high : from;
    if (from < low || to > high || from > to || step < 1) throw new Error(`cron field "${part}" is outside ${low} to ${high}.`);
    for (let value = from; value <= to; value += step) values.add(value);
  }
  return values;
}

/** Starts the clock; returns {stop()}. */
export function startCron({ store, host, log }) {
  let timer;
  const arm = () => {
    timer = setTimeout(() => {
      void fire().finally(arm);
    }, 60_000 - (Date.now() % 60_000));
    timer.unref();
  };
  const fire = async () => {
    const at = new Date();
    for (const { id, props } of store.list("WorkersCronTrigger")) {
      for (const { cron } of props.schedules) {
        try {
          if (isDue(cron, at)) await host.scheduled(id, cron, at);
        } catch (error) {
          log(`cron ${cron} of ${id} failed: ${error.message}`);
        }
      }
    }
  };
  arm();
  return { stop: () => clearTimeout(timer) };
}
