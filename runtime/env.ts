import type { SettingSchema } from './setting-types.ts';

/** One setting: its environment variable, how its text is read, its default, and what it means. The reference page is generated from these. */
export interface Setting<T> {
  readonly env: string;
  readonly schema: SettingSchema<T>;
  /** As it would be written in the environment. Leave out for a setting that is required, or optional in its schema. */
  readonly default?: string;
  /** One sentence for the reference page. */
  readonly meaning: string;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;
export type SettingValues<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };
export type Environment = Readonly<Record<string, string | undefined>>;

/** Names every setting that is missing or malformed, in one line. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** Defines one setting; exists so that `T` is inferred from the schema. */
export function setting<T>(definition: Setting<T>): Setting<T> {
  return definition;
}

/**
 * Reads settings from an environment. An empty variable counts as absent.
 * @param spoken how a variable is called in an error, where it has another name as well.
 * @throws {SettingsError} naming each variable that is missing or malformed.
 */
export function readSettings<S extends Settings>(settings: S, env: Environment, spoken = (variable: string) => variable): SettingValues<S> {
  const values: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const [name, { env: variable, schema, default: fallback }] of Object.entries(settings)) {
    const text = env[variable] === '' ? undefined : env[variable];
    const parsed = schema.safeParse(text ?? fallback);
    if (parsed.success) values[name] = parsed.data;
    else if (text === undefined) problems.push(`${spoken(variable)} is required`);
    else problems.push(`${spoken(variable)}: ${parsed.error.issues.map((issue) => issue.message).join('; ')}`);
  }
  if (problems.length > 0) throw new SettingsError(problems.join('; '));
  return values as SettingValues<S>;
}

/** Reads one setting before all of them are read, for what has to exist first. When it is wrong, that is said later with the others. */
export function earlySetting<T>({ env: variable, schema, default: text }: Setting<T>, env: Environment, otherwise: T): T {
  const parsed = schema.safeParse(env[variable] || text);
  return parsed.success ? parsed.data : otherwise;
}
