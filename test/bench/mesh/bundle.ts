import { TOOLS, VISIBLE_TOOL_COUNT } from '../messages.ts';

export const SERVER = 'bench';
export const GROUP = 'bench';

/**
 * The policy of the benchmark, as files of a bundle. `lookup` is decided without its arguments, so the decision may be kept;
 * `lookup_checked` is decided by them, so each call is asked about. Half of the tools are shown.
 */
export function bundleFiles(upstreamPort: number): ReadonlyMap<string, string> {
  const shown = TOOLS.slice(0, VISIBLE_TOOL_COUNT).map(({ name }) => name);
  const byView = shown.filter((name) => name !== 'lookup_checked');
  return new Map([
    [`servers/${SERVER}.yaml`, `name: ${SERVER}\nurl: http://127.0.0.1:${upstreamPort}/mcp\ntools: ${SERVER}.tools.json\n`],
    [`servers/${SERVER}.tools.json`, JSON.stringify({ tools: TOOLS })],
    ['views/shown.yaml', `name: shown\nallow_tools: [${byView.map((name) => `${SERVER}.${name}`).join(', ')}]\ngroups: [${GROUP}]\n`],
    [
      'policies/checked.cedar',
      `@id("checked")\npermit (principal in Group::"${GROUP}", action == Action::"${SERVER}/lookup_checked", resource)\nwhen { context.input.query like "1*" };\n`,
    ],
  ]);
}
