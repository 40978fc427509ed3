import { fileURLToPath } from 'node:url';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';

/** Where the `.proto` files are: beside this file, in the sources and in `dist/` alike. */
const PROTO_DIR = fileURLToPath(new URL('./proto/', import.meta.url));

/** One gRPC method: its path and how its messages become bytes. Has the shape that grpc-js takes. */
export interface RpcMethod<Request, Response> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (message: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (message: Response) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/**
 * Loads one `.proto` file and what it imports.
 * Messages read from the wire have every field: numbers, texts, lists and maps their proto3 default, absent messages `null`.
 * Field names are camelCase, 64-bit numbers are `number`, enums their names, bytes `Buffer`.
 */
export function loadProtos(file: string): PackageDefinition {
  return loadSync(file, { includeDirs: [PROTO_DIR], longs: Number, enums: String, defaults: true, oneofs: true });
}

/** Picks a service out of loaded protos. `S` states the message types, which only the `.proto` file knows. */
export function service<S>(protos: PackageDefinition, name: string): S {
  const definition = protos[name];
  if (definition === undefined || 'format' in definition) throw new Error(`no service ${name} in the loaded protos`);
  return definition as S;
}
