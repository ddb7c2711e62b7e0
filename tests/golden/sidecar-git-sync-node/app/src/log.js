// Writes one JSON object per event to standard output.

/** Writes one event; the fields stand beside time, level and message. */
export function log(level, message, fields = {}) {
  const event = { time: new Date().toISOString(), level, message, ...fields };
  process.stdout.write(`${JSON.stringify(event)}\n`);
}
