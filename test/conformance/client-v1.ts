import { openLink, REGISTRAR_VARIABLE } from './client/link.ts';
import { readScenario } from './client/scenario.ts';

/** Started by the suite, once for each client scenario. */
const scenario = readScenario(process.env, process.argv);
const link = await openLink(scenario.name, scenario.serverUrl, process.env[REGISTRAR_VARIABLE]);
// The SDK takes long to load; a client that the registrar sends away does without.
const { runV1Scenario } = await import('./client/v1-scenarios.ts');
await runV1Scenario(scenario, link);
