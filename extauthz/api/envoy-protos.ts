import { loadProtos, type RpcMethod, service } from './load-protos.ts';

/** The loaded definitions of the Envoy external authorization protocol, for reflection. */
export const envoyProtos = loadProtos('envoy/service/auth/v3/external_auth.proto');

/** The methods of `envoy.service.auth.v3.Authorization`, trimmed to the fields that Sidegate uses. */
export const authorizationService = service<{
  readonly Check: RpcMethod<CheckRequest, CheckResponse>;
}>(envoyProtos, 'envoy.service.auth.v3.Authorization');

export interface CheckRequest {
  readonly attributes: AttributeContext | null;
}

export interface AttributeContext {
  readonly request: { readonly http: HttpRequest | null } | null;
  readonly contextExtensions: Readonly<Record<string, string>>;
  readonly metadataContext: { readonly filterMetadata: Readonly<Record<string, Struct>> } | null;
}

export interface HttpRequest {
  readonly id: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly path: string;
  readonly host: string;
  readonly scheme: string;
  readonly size: number;
  readonly protocol: string;
  readonly body: string;
  readonly rawBody: Uint8Array;
  readonly headerMap: { readonly headers: readonly HeaderValue[] } | null;
}

export interface CheckResponse {
  readonly status: { readonly code: number; readonly message: string };
  /** Exactly one of the two is set. */
  readonly deniedResponse?: DeniedHttpResponse;
  readonly okResponse?: OkHttpResponse;
  readonly dynamicMetadata: Struct;
}

export interface DeniedHttpResponse {
  readonly status: { readonly code: 'OK' | 'BadRequest' | 'Forbidden' | 'ServiceUnavailable' };
  readonly headers: readonly HeaderValueOption[];
  readonly body: string;
}

export interface OkHttpResponse {
  readonly headers: readonly HeaderValueOption[];
  readonly headersToRemove: readonly string[];
}

export interface HeaderValue {
  readonly key: string;
  readonly value: string;
  readonly rawValue: Uint8Array;
}

export interface HeaderValueOption {
  readonly header: { readonly key: string; readonly value: string };
  readonly append: { readonly value: boolean };
  readonly appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD';
}

/** `google.protobuf.Struct`: a JSON object on the wire. */
export interface Struct {
  readonly fields: Readonly<Record<string, StructValue>>;
}

/** `google.protobuf.Value`. Exactly one field is set. */
export interface StructValue {
  readonly kind?: string;
  readonly nullValue?: 'NULL_VALUE';
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: Struct;
  readonly listValue?: { readonly values: readonly StructValue[] };
}
