import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const LOOK_MS = 250;

/** What the policy service logs about the bundle. */
interface BundleLine {
  readonly msg?: string;
  /** The revision in force. */
  readonly revision?: string;
}

/**
 * Tells what the policy service makes of each change of the bundle from now on, by its log: a refusal names file, line and reason.
 * @returns what ends it.
 */
export function reportBundle(logFile: string, tell: (line: string) => void): () => void {
  const log = openSync(logFile, 'r');
  let at = fstatSync(log).size;
  let rest = '';
  const look = () => {
    const fresh = Buffer.alloc(Math.max(0, fstatSync(log).size - at));
    at += readSync(log, fresh, 0, fresh.length, at);
    const lines = (rest + fresh.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const news of bundleNews(lines.map((line) => Buffer.from(line, 'latin1').toString()))) tell(news);
  };
  const timer = setInterval(look, LOOK_MS).unref();
  return () => {
    clearInterval(timer);
    closeSync(log);
  };
}

/** What there is to tell of some lines of the log. */
export function bundleNews(lines: readonly string[]): readonly string[] {
  const news: string[] = [];
  let kept: string | undefined;
  for (const line of lines) {
    const { msg = '', revision = '' } = parsed(line);
    if (msg.startsWith('policy bundle refused: ') || msg.startsWith('a fault while loading the policy bundle')) {
      news.push(msg);
      kept = revision;
    } else if (msg === 'policy bundle replaced') {
      news.push(`policy bundle replaced: revision ${shortened(revision)} is in force`);
      kept = undefined;
    }
  }
  return kept === undefined ? news : [...news, `the policies before stay in force: revision ${shortened(kept)}`];
}

function shortened(revision: string): string {
  return revision.slice(0, 12);
}

function parsed(line: string): BundleLine {
  try {
    return JSON.parse(line) as BundleLine;
  } catch {
    return {};
  }
}
