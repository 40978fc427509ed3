/**
 * Makes what the composed processes need and nobody wrote by hand: certificates, the workload's identity, users' tokens.
 * Each reader has a directory of its own, which is a volume that only it mounts:
 *
 * - `policy/`: the policy service's certificate and key, the workload issuer's keys, users' secrets for the servers
 * - `sidecar/`: the certificate authority, the workload token
 * - `agent/`: users' tokens for Sidegate
 *
 * Run again, it keeps the certificates and renews the tokens, which last eight hours.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ACCOUNTS } from '../../examples/issuer/accounts.ts';
import { AGENT_CLIENT_ID, CREDENTIAL_STORE_CLIENT_ID, SIDEGATE_RESOURCE } from '../../examples/issuer/clients.ts';
import { signIn } from '../../examples/issuer/sign-in.ts';
import { createWorkloadIdentity } from '../../examples/quick-start/workload-identity.ts';
import { readSettings, setting } from '../../runtime/env.ts';
import { text, url } from '../../runtime/setting-types.ts';
import { createCertificateAuthority, issueServerCertificate } from '../../runtime/tls.ts';

const settings = {
  directory: setting({ env: 'PREPARE_DIRECTORY', schema: text, meaning: 'Where the three directories are.' }),
  issuer: setting({ env: 'PREPARE_ISSUER', schema: url, meaning: 'The example issuer.' }),
  ticketsResource: setting({
    env: 'PREPARE_TICKETS_RESOURCE',
    schema: url,
    meaning: 'The ticket server’s URL, the audience of its tokens.',
  }),
  clientSecret: setting({ env: 'PREPARE_CREDENTIAL_STORE_SECRET', schema: text, meaning: 'Secret of the credential store’s client.' }),
  policyName: setting({ env: 'PREPARE_POLICY_NAME', schema: text, meaning: 'The name that sidecars reach the policy service by.' }),
};
const CERTIFICATE_DAYS = 365;
/** The agent runs as another user than the sidecar and the policy service do. */
const FOR_EVERYONE = 0o644;

const { directory, issuer, ticketsResource, clientSecret, policyName } = readSettings(settings, process.env);

/** In one step, because the policy service and the sidecar may be reading. */
function write(path: string, content: string, mode = 0o600): void {
  const target = join(directory, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(`${target}.new`, content, { mode });
  renameSync(`${target}.new`, target);
}

if (!existsSync(join(directory, 'sidecar/ca.crt'))) {
  const authority = await createCertificateAuthority('Sidegate (compose)', Date.now(), CERTIFICATE_DAYS);
  const names = { commonName: policyName, dnsNames: [policyName], ipAddresses: [] };
  const server = await issueServerCertificate(authority, names, Date.now(), CERTIFICATE_DAYS);
  write('policy/tls/extauthz.crt', server.certificatePem);
  write('policy/tls/extauthz.key', server.privateKeyPem);
  write('sidecar/ca.crt', authority.certificatePem);
}

const workload = await createWorkloadIdentity('compose', 'agent', 'agent');
write('policy/workload-keys.json', workload.jwks);
write('sidecar/token', workload.token);

for (const { id: user } of ACCOUNTS) {
  write(`agent/${user}.token`, await signIn({ issuer, user, clientId: AGENT_CLIENT_ID, resource: SIDEGATE_RESOURCE }), FOR_EVERYONE);
  const store = { issuer, user, clientId: CREDENTIAL_STORE_CLIENT_ID, clientSecret, resource: ticketsResource };
  write(`policy/secrets/tickets/${user}`, await signIn(store));
}
