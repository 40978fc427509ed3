import type { Struct, StructValue } from '../api/envoy-protos.ts';

type Plain = string | boolean | readonly string[];

/** Makes a `google.protobuf.Struct`. */
export function toStruct(values: Readonly<Record<string, Plain>>): Struct {
  return { fields: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toValue(value)])) };
}

function toValue(value: Plain): StructValue {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  return { listValue: { values: value.map((item) => ({ stringValue: item })) } };
}

/** A member of a `google.protobuf.Struct`: by path through nested structs, or by the path as one flat name. */
export function structMember(struct: Struct, path: readonly string[]): StructValue | undefined {
  const flat = own(struct, path.join('.'));
  if (flat !== undefined || path.length === 1) return flat;
  const [first = '', ...rest] = path;
  const nested = own(struct, first)?.structValue;
  return nested === undefined ? undefined : structMember(nested, rest);
}

function own({ fields }: Struct, name: string): StructValue | undefined {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}
