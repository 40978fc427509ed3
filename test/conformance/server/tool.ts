import type { Content } from './content.ts';

/** A JSON Schema whose root is an object, as `tools/list` shows it. */
export interface ObjectSchema {
  readonly type: 'object';
  readonly [keyword: string]: unknown;
}

export type ToolResult = {
  content: Content[];
  isError?: boolean;
};

/** What a tool may ask of the client during a call, in the way of the revisions with sessions. */
export interface ClientChannel {
  /** Does nothing unless the caller asked for progress. */
  progress(done: number, total: number): Promise<void>;
  log(message: string): Promise<void>;
  /** The client's answer to `elicitation/create`, as it came. */
  elicit(message: string, requestedSchema: FormSchema): Promise<unknown>;
  /** The text that the client's model answers to `sampling/createMessage`. */
  sample(prompt: string, maxTokens: number): Promise<string>;
  /** Ends the answer's stream before the answer, so that the client has to come back for it. */
  closeStream(): void;
}

/** The restricted schema of a form (`elicitation/create`). */
export interface FormSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, FormField>>;
  readonly required?: string[];
}

export type FormField = Readonly<Record<string, unknown>> & { readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'array' };

/** A tool that both lines of the official SDK can serve. */
export interface ConformanceTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: ObjectSchema;
  call(input: Readonly<Record<string, unknown>>, client: ClientChannel): ToolResult | Promise<ToolResult>;
}

export const NO_INPUT: ObjectSchema = { type: 'object', properties: {} };
