import type { Principal } from '../../../extauthz/api/principal.ts';
import { type Bundle, createPolicyEngine } from '../../../extauthz/policy/engine.ts';
import { type BundleData, bundleFiles } from './bundle-files.ts';

/** Loads a bundle that is meant to be good. */
export function loadBundle(data: BundleData, onFault?: (cause: unknown) => void): Bundle {
  const loaded = createPolicyEngine(onFault).load(bundleFiles(data));
  if (!loaded.ok) throw new Error(`the bundle was refused: ${JSON.stringify(loaded.failure, undefined, 1)}`);
  return loaded.value;
}

export function principalOf(id: string, groups: readonly string[] = [], agent = 'prod/agent'): Principal {
  const [namespace = '', serviceAccount = ''] = agent.split('/');
  return { user: { id, subject: id, issuer: 'https://issuer.example', groups }, agent: { namespace, serviceAccount, pod: undefined } };
}

export const NO_PARAMS = new Uint8Array();
