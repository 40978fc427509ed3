import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { MessageKind, SchemaMethod, Sender } from './schema-methods.ts';

/** The revisions of MCP, oldest first. Written out, so that a revision that the product forgets is not forgotten here. */
export const REVISIONS = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const;
export type Revision = (typeof REVISIONS)[number];

export type JsonObject = Readonly<Record<string, unknown>>;

interface Row {
  /** The method. */
  readonly name: string;
  readonly since: Revision;
  /** The last revision that has it; the newest when absent. */
  readonly until?: Revision;
  /** What has happened before, in order. */
  readonly before?: readonly Step[];
  readonly params?: JsonObject;
}

/** A request that the server answers with a result, both through the sidecar. */
export interface Step {
  readonly as: string;
  readonly method: string;
  readonly params: JsonObject;
  readonly result: JsonObject;
}

/** A request that is refused. What is absent is as in the case that is allowed; the error is policy's then. */
export interface Denied {
  readonly means?: string;
  readonly as?: string;
  readonly params?: JsonObject;
  readonly code?: number;
}

export interface ClientRequestRow extends Row {
  readonly result: JsonObject;
  readonly deny: readonly Denied[];
  readonly filter: { readonly means: string; readonly result?: JsonObject; readonly shown?: JsonObject };
}

export type ClientNotificationRow = Row;

export interface ServerRequestRow extends Row {
  readonly result: JsonObject;
}

export interface ServerNotificationRow extends Row {
  readonly on: 'stream' | 'call';
  readonly deny?: JsonObject;
}

export interface Forged {
  readonly name: string;
  readonly message: JsonObject;
  readonly left?: JsonObject;
}

function read<Entry>(file: string): readonly Entry[] {
  return parse(readFileSync(new URL(`../cases/methods/${file}.yaml`, import.meta.url), 'utf8')) as Entry[];
}

export const CLIENT_REQUESTS = read<ClientRequestRow>('client-requests');
export const CLIENT_NOTIFICATIONS = read<ClientNotificationRow>('client-notifications');
export const SERVER_REQUESTS = read<ServerRequestRow>('server-requests');
export const SERVER_NOTIFICATIONS = read<ServerNotificationRow>('server-notifications');
export const FORGED = read<Forged>('forged');

/** The rows that hold in a revision. */
export function rowsOf<R extends Row>(rows: readonly R[], revision: Revision): readonly R[] {
  return rows.filter(({ since, until = revision }) => since <= revision && revision <= until);
}

const TABLES: readonly (readonly [Sender, MessageKind, readonly Row[]])[] = [
  ['client', 'request', CLIENT_REQUESTS],
  ['client', 'notification', CLIENT_NOTIFICATIONS],
  ['server', 'request', SERVER_REQUESTS],
  ['server', 'notification', SERVER_NOTIFICATIONS],
];

/** Every method that has cases in a revision. */
export function tableMethods(revision: Revision): readonly SchemaMethod[] {
  return TABLES.flatMap(([sender, kind, rows]) => rowsOf(rows, revision).map(({ name }) => ({ sender, kind, method: name })));
}
