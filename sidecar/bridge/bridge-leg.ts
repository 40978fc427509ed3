import { type Era, eraOf } from '../mcp/protocol-version.ts';
import type { Permit } from '../permit.ts';
import type { AnswerHandler } from '../relay.ts';
import type { ServerLeg } from '../server-leg.ts';
import type { BridgeOptions } from './bridge-options.ts';
import { isObject } from './json-text.ts';
import { readMessage } from './message.ts';
import { META } from './meta-keys.ts';
import { ToLegacy } from './to-legacy.ts';
import { ToModern } from './to-modern.ts';

/**
 * The leg to servers of one era for agents of both: messages of the server's own era go to it as they are, those of the other are translated.
 * It lies below policy: a message is judged, and its answer filtered, in the agent's own era.
 */
export class BridgeLeg implements ServerLeg {
  readonly #options: BridgeOptions;
  readonly #toModern: ToModern;
  readonly #toLegacy: ToLegacy;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#toModern = new ToModern(options);
    this.#toLegacy = new ToLegacy(options);
  }

  post(permit: Permit, headers: Record<string, string>, body: Uint8Array, answer: AnswerHandler): void {
    const { bridgeTo } = permit.route;
    if (eraOfMessage(body, headers['mcp-protocol-version']) === bridgeTo)
      return this.#options.send(permit, { method: 'POST', headers, body }, answer);
    if (bridgeTo === 'modern') this.#toModern.post(permit, headers, body, answer);
    else this.#toLegacy.post(permit, headers, body, answer);
  }

  /** GET and DELETE are of the legacy era. */
  stream(permit: Permit, method: string | undefined, headers: Record<string, string>, answer: AnswerHandler): void {
    if (permit.route.bridgeTo === 'modern') return this.#toModern.stream(permit, method, headers, answer);
    this.#options.send(permit, { method: method === 'DELETE' ? 'DELETE' : 'GET', headers }, answer);
  }

  /** Ends sessions whose server is no longer registered as it was. */
  reconcile(): void {
    this.#toModern.reconcile();
    this.#toLegacy.reconcile();
  }

  close(): void {
    this.#toModern.close();
    this.#toLegacy.close();
  }
}

/** The era in which the request path judged the message. */
function eraOfMessage(body: Uint8Array, versionField: string | undefined): Era {
  const read = readMessage(body);
  if (!read.ok) throw new Error(`a judged message cannot be read: ${read.failure}`);
  const { kind, method, json } = read.value;
  if (kind === 'response') return 'legacy';
  const meta = json.objectAt('params', '_meta') ?? {};
  const version = meta[META.protocolVersion];
  const claims = Object.hasOwn(meta, META.protocolVersion);
  if (kind === 'request' && method === 'initialize') {
    return typeof version === 'string' && eraOf(version) === 'modern' && isObject(meta[META.clientCapabilities]) ? 'modern' : 'legacy';
  }
  return claims || (versionField !== undefined && eraOf(versionField) === 'modern') ? 'modern' : 'legacy';
}
