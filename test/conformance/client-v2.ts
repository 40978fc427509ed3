import { openLink, REGISTRAR_VARIABLE } from './client/link.ts';
import { readScenario } from './client/scenario.ts';
import { runV2Scenario } from './client/v2-scenarios.ts';

/** Started by the suite, once for each client scenario. */
const scenario = readScenario(process.env, process.argv);
await runV2Scenario(scenario, await openLink(scenario.name, scenario.serverUrl, process.env[REGISTRAR_VARIABLE]));
