import { MEASURED_CALL, PLAN } from '../agent/plan.ts';
import type { CallOutcome, QuickStartOutcome, UserOutcome } from './outcome.ts';

/** Lays out rows in columns as wide as their widest cell. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Numbers the distinct reasons, in the order they are met, for footnotes below the table. */
class Footnotes {
  readonly #texts: string[] = [];

  mark(text: string): string {
    if (!this.#texts.includes(text)) this.#texts.push(text);
    return `[${this.#texts.indexOf(text) + 1}]`;
  }

  toString(): string {
    return this.#texts.map((text, index) => `  [${index + 1}] ${text}`).join('\n');
  }
}

function cell(user: UserOutcome, server: string, tool: string, call: CallOutcome | undefined, notes: Footnotes): string {
  const shown = user.servers.find((seen) => seen.server === server)?.tools.includes(tool) ? 'shown' : 'hidden';
  if (call === undefined) return shown;
  const footnote = [
    ...(call.outcome === 'allowed' ? [] : [notes.mark(`${call.code ?? 'error'}: ${call.reason}`)]),
    ...call.wouldDeny.map((policy) => notes.mark(`on trial: ${policy} would deny it`)),
  ];
  return `${shown.padEnd(6)}  ${[call.outcome, ...footnote].join(' ')}`;
}

function otherTools(user: UserOutcome, server: string): string {
  const planned = new Set(PLAN.filter((call) => call.server === server).map(({ tool }) => tool));
  const others = user.servers.find((seen) => seen.server === server)?.tools.filter((tool) => !planned.has(tool)).length ?? 0;
  return `${others} shown`;
}

function callTable(users: readonly UserOutcome[], notes: Footnotes): string {
  const rows: string[][] = [['tool', 'what the agent tried', ...users.map(({ user, groups }) => `${user} (${groups.join(', ')})`)]];
  for (const server of new Set(PLAN.map((call) => call.server))) {
    for (const { tool, step } of PLAN.filter((call) => call.server === server)) {
      const cells = users.map((user) =>
        cell(
          user,
          server,
          tool,
          user.calls.find((call) => call.step === step),
          notes,
        ),
      );
      rows.push([`${server}/${tool}`, step, ...cells]);
    }
    rows.push([`${server}: others`, '', ...users.map((user) => otherTools(user, server))]);
  }
  return columns(rows);
}

function traceTree({ trace }: QuickStartOutcome): string {
  const rows = (parent: string, depth: number): string[][] =>
    trace.spans
      .filter((span) => span.parentSpanId === parent)
      .flatMap((span) => [
        [`  ${'  '.repeat(depth)}${span.kind.toUpperCase()} ${span.name}`, span.service, `${span.durationMs.toFixed(2)} ms`, span.spanId],
        ...rows(span.spanId, depth + 1),
      ]);
  const known = new Set(trace.spans.map(({ spanId }) => spanId));
  const roots = new Set(trace.spans.filter(({ parentSpanId }) => !known.has(parentSpanId)).map(({ parentSpanId }) => parentSpanId));
  return columns([...roots].flatMap((parent) => rows(parent, 0)));
}

/** The whole run as a page of text. */
export function renderOutcome(outcome: QuickStartOutcome): string {
  const { users, latency, trace, checks, sdk } = outcome;
  const notes = new Footnotes();
  const table = callTable(users, notes);
  const credentials = columns(
    users.map(({ user, upstreamCredential: credential, ownTokenAtTickets }) => [
      `  ${user}`,
      credential === null ? 'none' : `${credential.user}'s token for ${credential.audience}`,
      `the agent's own token, shown there directly: HTTP ${ownTokenAtTickets}`,
    ]),
  );
  const failed = checks.filter(({ ok }) => !ok);
  const verdict = outcome.ok
    ? `All ${checks.length} checks came out as the bundle says, in ${outcome.seconds.toFixed(1)} s.`
    : `${failed.length} of ${checks.length} checks did not come out as the bundle says:\n${failed
        .map(({ name, wanted, got }) => `  ${name}\n    wanted: ${wanted}\n    got:    ${got}`)
        .join('\n')}`;
  return `
The same agent (official SDK ${sdk}), run for two users:

${table}

${notes}

Whose credential reached the ticket server (the agent never had it):
${credentials}

Added latency, median of ${latency.samples} ${latency.call} calls: ${latency.addedMedianMs.toFixed(2)} ms \
(governed ${latency.governedMedianMs.toFixed(2)} ms, direct ${latency.directMedianMs.toFixed(2)} ms)

One call of alice's agent (${MEASURED_CALL.server}/${MEASURED_CALL.tool}) as a trace, ${trace.traceId}:
${traceTree(outcome)}

${verdict}
`;
}
