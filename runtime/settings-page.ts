import type { Settings } from './env.ts';

/** One table of the configuration reference: every setting of a process, in Markdown. */
export function settingsTable(settings: Settings): string {
  const rows = Object.values(settings).map(({ env, default: fallback, meaning, schema }) => {
    const required = fallback === undefined && !schema.safeParse(undefined).success;
    const standard = required ? '**required**' : fallback === undefined ? '' : `\`${fallback}\``;
    return `| \`${env}\` | ${standard} | ${meaning} |`;
  });
  return ['| variable | default | meaning |', '|---|---|---|', ...rows].join('\n');
}
