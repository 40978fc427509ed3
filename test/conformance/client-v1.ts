import { openLink, REGISTRAR_VARIABLE } from './client/link.ts';
import { readScenario } from './client/scenario.ts';
import { runV1Scenario } from './client/v1-scenarios.ts';

/** Started by the suite, once for each client scenario. */
const scenario = readScenario(process.env, process.argv);
await runV1Scenario(scenario, await openLink(scenario.name, scenario.serverUrl, process.env[REGISTRAR_VARIABLE]));
