/** Writes the reference pages that are generated from the code; with `--check` only says whether they are up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { extauthzSettings } from '../extauthz/config.ts';
import { injectorSettings } from '../injector/config.ts';
import { settingsTable } from '../runtime/settings-page.ts';
import { sidecarSettings } from '../sidecar/config.ts';

const PAGE = 'docs/configuration.md';

const page = `# Configuration

Every setting is an environment variable. A setting that is missing or malformed stops the process at start, with one line that names it.
This page is generated from the definitions in the code (\`npm run docs\`).

## Sidecar

${settingsTable(sidecarSettings)}

## Policy service

${settingsTable(extauthzSettings)}

## Injector

${settingsTable(injectorSettings)}
`;

if (!process.argv.includes('--check')) writeFileSync(PAGE, page);
else if (readFileSync(PAGE, 'utf8') !== page) {
  process.stderr.write(`${PAGE} is out of date: run npm run docs\n`);
  process.exitCode = 1;
}
