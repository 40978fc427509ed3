import { z } from 'zod';
import { inject } from './inject.ts';
import { jsonPatch } from './json-patch.ts';
import { asPod } from './pod.ts';
import { type Refusal, refusalText } from './refusal.ts';
import type { SidecarTemplate } from './sidecar-container.ts';

const API_VERSION = 'admission.k8s.io/v1';

/** The parts of an AdmissionReview request (admission.k8s.io/v1) that are read. */
const reviewRequest = z.object({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('AdmissionReview'),
  request: z.object({
    uid: z.string().min(1),
    resource: z.object({ group: z.literal(''), version: z.literal('v1'), resource: z.literal('pods') }),
    subResource: z.literal('').optional(),
    operation: z.literal('CREATE'),
    namespace: z.string().optional(),
    dryRun: z.boolean().optional(),
    object: z.unknown(),
  }),
});

export interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patchType?: 'JSONPatch';
  /** JSON Patch, base64. */
  readonly patch?: string;
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly warnings?: readonly string[];
  /** Goes into the API server's audit log, each key after the webhook's name. */
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

export interface AdmissionReview {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'AdmissionReview';
  readonly response: AdmissionResponse;
}

export type Outcome = 'injected' | 'opted-out' | 'refused';

export type Reviewed =
  | {
      readonly kind: 'answered';
      readonly review: AdmissionReview;
      readonly outcome: Outcome;
      readonly refusals: readonly Refusal[];
      /** For the log: namespace and name, or the name's beginning when the API server makes up the rest. */
      readonly pod: string;
      readonly dryRun: boolean;
    }
  /** Not a question this webhook answers. The webhook configuration decides what becomes of the pod. */
  | { readonly kind: 'malformed'; readonly problem: string };

/** Answers an admission request for a new pod. Has no effect beyond its answer, so a dry run is no different. */
export function review(body: unknown, template: SidecarTemplate, version: string): Reviewed {
  const parsed = reviewRequest.safeParse(body);
  if (!parsed.success) return { kind: 'malformed', problem: describe(parsed.error) };
  const { uid, object, namespace, dryRun = false } = parsed.data.request;
  const shaped = asPod(object);
  if ('problem' in shaped) return { kind: 'malformed', problem: `request.object: ${shaped.problem}` };

  const { name, generateName } = shaped.pod.metadata ?? {};
  const pod = `${namespace ?? 'default'}/${name || `${generateName ?? ''}*`}`;
  const injection = inject(shaped.pod, template, version);
  const refusals = injection.kind === 'refused' ? injection.refusals : [];
  const answered = (outcome: Outcome, rest: Omit<AdmissionResponse, 'uid' | 'auditAnnotations'>): Reviewed => ({
    kind: 'answered',
    review: {
      apiVersion: API_VERSION,
      kind: 'AdmissionReview',
      response: { uid, ...rest, auditAnnotations: { outcome } },
    },
    outcome,
    refusals,
    pod,
    dryRun,
  });

  if (injection.kind === 'refused') {
    const message = `sidegate cannot govern this pod: ${refusals.map(refusalText).join('; ')}`;
    return answered('refused', { allowed: false, status: { code: 403, reason: 'Forbidden', message } });
  }
  const operations = jsonPatch(object, injection.pod);
  return answered(injection.kind, {
    allowed: true,
    // An empty patch would be legal; no patch says plainly that nothing changed.
    ...(operations.length > 0 && { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(operations)).toString('base64') }),
    ...(injection.warnings.length > 0 && { warnings: injection.warnings }),
  });
}

function describe(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; ');
}
