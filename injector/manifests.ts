import { Document, isScalar, LineCounter, parseAllDocuments, type Tags, visit } from 'yaml';
import { inject } from './inject.ts';
import { asPod } from './pod.ts';
import { refusalText } from './refusal.ts';
import type { SidecarTemplate } from './sidecar-container.ts';
import { listItems, podOf, resourceName } from './workload.ts';

export interface ResourceReport {
  /** `deployment/web in demo`. */
  readonly resource: string;
  readonly outcome: 'injected' | 'opted-out' | 'unchanged' | 'refused';
  /** Why it was refused, or what else to know. */
  readonly notes: readonly string[];
}

export type InjectedManifests =
  | { readonly kind: 'read'; readonly yaml: string; readonly reports: readonly ResourceReport[] }
  | { readonly kind: 'unreadable'; readonly problems: readonly string[] };

/**
 * Manifests are YAML 1.1 to Kubernetes (`0644` is octal, `yes` is true), but its reader knows neither base-60 numbers nor dates.
 */
const KUBERNETES_YAML = {
  version: '1.1',
  customTags: (tags: Tags): Tags => tags.filter((tag) => typeof tag === 'string' || (tag.format !== 'TIME' && tag.tag !== TIMESTAMP)),
} as const;
const TIMESTAMP = 'tag:yaml.org,2002:timestamp';
/** Strings that some reader of YAML takes for a number or an operator unless they are quoted: `0o17`, `1_0`, `<<`. */
const MISREAD = /^(?:[-+]?0[box][\da-f_]*|[-+\d_.e]+|<<|=)$/i;

/** Adds the sidecar to every pod and pod template in YAML documents. Other documents keep their content and comments. */
export function injectManifests(text: string, template: SidecarTemplate, version: string): InjectedManifests {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { ...KUBERNETES_YAML, lineCounter: lines }) as Document.Parsed[];
  // An unknown tag is only a warning, but leaves another value than the author meant.
  const faults = documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]);
  if (faults.length > 0) {
    return { kind: 'unreadable', problems: faults.map(({ message, pos }) => `line ${lines.linePos(pos[0]).line}: ${firstLine(message)}`) };
  }

  const reports: ResourceReport[] = [];
  const written: string[] = [];
  for (const document of documents.filter(({ contents }) => contents !== null)) {
    const value = valueOfDocument(document);
    if (value instanceof ReferenceError) return { kind: 'unreadable', problems: [value.message] };
    const result = injectResource(value, template, version, reports);
    written.push(result === value ? document.toString({ lineWidth: 0, directives: false }) : toYaml(result));
  }
  return { kind: 'read', yaml: written.join('---\n'), reports };
}

/** The value, or the error when its aliases lead nowhere or multiply beyond measure. */
function valueOfDocument(document: Document.Parsed): unknown {
  try {
    return document.toJS();
  } catch (error) {
    if (error instanceof ReferenceError) return error;
    throw error;
  }
}

/** Gives the value itself when nothing in it changes. */
function injectResource(value: unknown, template: SidecarTemplate, version: string, reports: ResourceReport[]): unknown {
  const items = listItems(value);
  if (items !== undefined) {
    const results = items.map((item) => injectResource(item, template, version, reports));
    return results.every((result, index) => result === items[index]) ? value : { ...(value as object), items: results };
  }
  const resource = resourceName(value);
  const held = podOf(value);
  if (held === undefined) {
    reports.push({ resource, outcome: 'unchanged', notes: [] });
    return value;
  }
  const shaped = asPod(held.pod);
  if ('problem' in shaped) {
    reports.push({ resource, outcome: 'refused', notes: [shaped.problem] });
    return value;
  }
  const injection = inject(shaped.pod, template, version);
  if (injection.kind === 'refused') {
    reports.push({ resource, outcome: 'refused', notes: injection.refusals.map(refusalText) });
    return value;
  }
  reports.push({ resource, outcome: injection.kind, notes: injection.warnings });
  return held.replace(injection.pod);
}

function toYaml(value: unknown): string {
  const document = new Document(value, { version: '1.1', aliasDuplicateObjects: false });
  visit(document, {
    Scalar(_key, node) {
      if (isScalar(node) && typeof node.value === 'string' && MISREAD.test(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ lineWidth: 0, directives: false });
}

function firstLine(message: string): string {
  return (message.split('\n')[0] ?? message).replace(/ at line \d+, column \d+:?$/, '');
}
