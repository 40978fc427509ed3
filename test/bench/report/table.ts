import { MAX_OTHERS_BUSY } from '../budget.ts';
import { ROW_NAMES, ROWS } from '../rows.ts';
import type { BenchDocument } from './document.ts';

const NUMBER = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

function whole(value: number | null): string {
  return value === null || Number.isNaN(value) ? '-' : NUMBER.format(value);
}

function percent(share: number | null): string {
  return share === null ? '-' : `${Math.round(share * 100)} %`;
}

function markdown(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(heads), rule, ...rows.map(line)].join('\n');
}

function rowTable({ rows, skipped }: BenchDocument): string {
  const heads = [
    'row',
    'calls/s c=1',
    'c=16',
    'p50 us c=1',
    'c=16',
    'p99 us c=1',
    'c=16',
    'CPU us/call c=1',
    'c=16',
    'busy c=16',
    'RSS MB idle',
    'after',
  ];
  const lines = ROW_NAMES.map((name) => {
    const { label } = ROWS[name];
    const row = rows[name];
    if (row === undefined) return [label, `skipped: ${skipped[name] ?? ''}`];
    const { single, concurrent, idleRssMb, usedRssMb } = row;
    return [
      label,
      whole(single.callsPerSecond),
      whole(concurrent.callsPerSecond),
      whole(single.p50Us),
      whole(concurrent.p50Us),
      whole(single.p99Us),
      whole(concurrent.p99Us),
      whole(single.gatewayCpuUs),
      concurrent.gatewayCpuUs === null ? '-' : concurrent.gatewayCpuUs.toFixed(1),
      percent(concurrent.gatewayBusy),
      whole(idleRssMb),
      whole(usedRssMb),
    ];
  });
  return markdown(heads, lines);
}

function barTable({ bars }: BenchDocument): string {
  const digits = { x: 2, us: 0, MB: 0, ms: 0 } as const;
  const lines = bars.map(({ what, measured, bar, goal, better, unit, verdict }) => {
    const relation = better === 'higher' ? '>=' : '<=';
    return [
      what,
      measured === null ? '-' : `${measured.toFixed(digits[unit])} ${unit}`,
      `${relation} ${bar}`,
      `${relation} ${goal}`,
      verdict,
    ];
  });
  return markdown(['what', 'measured', 'bar', 'goal', 'reached'], lines);
}

function interference({ rows }: BenchDocument): string[] {
  const shares = Object.values(rows).map(({ concurrent }) => concurrent.othersBusy ?? 0);
  const worst = Math.max(0, ...shares);
  return worst > MAX_OTHERS_BUSY
    ? [`Other programs took up to ${percent(worst)} of the processors in use: the numbers are spoilt, run it again.`]
    : [];
}

/** The whole report, in Markdown. */
export function reportText(document: BenchDocument): string {
  const { conditions, ratios } = document;
  const { node, processors, pinning, rounds, short } = conditions;
  const notes = [
    `Node ${node}, ${processors} processors; ${pinning}. Medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}; every answer was checked.`,
    ...(short ? ['This was a short run: take it as a sign of life, not as a measurement.'] : []),
    ...interference(document),
  ];
  const shown = Object.entries(ratios).map(([name, value]) => `${name} ${value === null ? 'null' : value.toFixed(2)}`);
  return [...notes, '', rowTable(document), '', `ratios at c=16: ${shown.join(', ')}`, '', barTable(document), ''].join('\n');
}
