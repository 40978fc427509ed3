import { startGate } from '../../support/gate.ts';
import { type Registrar, startRegistrar, type WayThrough } from './registrar.ts';
import { startTokenShim } from './token-shim.ts';

/** Everything, methods that MCP does not define included: whatever then differs from a direct run, the sidecar did by itself. */
const PERMIT_ALL = 'permit (principal, action, resource);';
const TOKEN_LIFE_S = 3_600;
/** A bundle needs a server from the start; nothing is sent to this one. */
const PLACEHOLDER = { placeholder: 'http://127.0.0.1:9/mcp' };

export interface OpenGate extends Registrar {
  readonly sidecarLogFile: string;
}

/** A sidecar that permits everything, and the way to put servers under it. */
export async function openGate(isOnlyDirect: (scenario: string, way: WayThrough) => boolean): Promise<OpenGate> {
  const gate = await startGate({ servers: PLACEHOLDER, policies: PERMIT_ALL });
  const token = await gate.token('conformance', { exp: Math.floor(Date.now() / 1_000) + TOKEN_LIFE_S });
  const shim = await startTokenShim(gate.port, token);
  const registrar = await startRegistrar(gate, shim, isOnlyDirect);
  return {
    ...registrar,
    sidecarLogFile: gate.sidecar.logFile,
    async close() {
      await registrar.close();
      await shim.close();
      await gate.stop();
    },
  };
}
