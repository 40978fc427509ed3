import { createLogger, type Logger } from '../../../runtime/logger.ts';

/** Log lines, parsed, and the logger that writes them. */
export function recordingLogger(): { readonly logger: Logger; readonly lines: Record<string, unknown>[]; readonly text: () => string } {
  const lines: Record<string, unknown>[] = [];
  const raw: string[] = [];
  const logger = createLogger('test', 'debug', {
    write(line) {
      raw.push(line);
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  });
  return { logger, lines, text: () => raw.join('') };
}

export const silentLogger: Logger = createLogger('test', 'silent');
