/** Least severe first (RFC 5424 section 6.2.1). */
const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

export function isLogLevel(level: unknown): level is string {
  return typeof level === 'string' && LEVELS.includes(level);
}

/** Whether a log message of this level is for a request that asked for those from `wanted` on. */
export function wantsLogMessage(wanted: unknown, level: unknown): boolean {
  return isLogLevel(wanted) && isLogLevel(level) && LEVELS.indexOf(level) >= LEVELS.indexOf(wanted);
}
