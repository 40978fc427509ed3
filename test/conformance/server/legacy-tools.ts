import { setTimeout as sleep } from 'node:timers/promises';
import { text } from './content.ts';
import { type ClientChannel, type ConformanceTool, type FormSchema, NO_INPUT, type ToolResult } from './tool.ts';

const STEP_MS = 50;

const PERSON: FormSchema = {
  type: 'object',
  properties: {
    username: { type: 'string', description: 'Name of the user' },
    email: { type: 'string', description: 'Where to write to the user' },
  },
  required: ['username', 'email'],
};

/** A default of each primitive type (SEP-1034). */
const DEFAULTS: FormSchema = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
};

const PLAIN_OPTIONS = ['option1', 'option2', 'option3'];
const TITLED_OPTIONS = [1, 2, 3].map((number) => ({ const: `value${number}`, title: `Choice ${number}` }));

/** Every way to write an enumeration (SEP-1330). */
const ENUMS: FormSchema = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: PLAIN_OPTIONS },
    titledSingle: { type: 'string', oneOf: TITLED_OPTIONS },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: PLAIN_OPTIONS } },
    titledMulti: { type: 'array', items: { anyOf: TITLED_OPTIONS } },
  },
};

async function fillIn(client: ClientChannel, message: string, form: FormSchema): Promise<ToolResult> {
  return { content: [text(`The form came back: ${JSON.stringify(await client.elicit(message, form))}`)] };
}

/** Tools that speak to the client while the call is open: requests, log messages and broken streams of the revisions with sessions. */
export const LEGACY_TOOLS: readonly ConformanceTool[] = [
  {
    name: 'test_tool_with_logging',
    description: 'Logs three messages on its way.',
    inputSchema: NO_INPUT,
    async call(_input, client) {
      await client.log('Tool execution started');
      await sleep(STEP_MS);
      await client.log('Tool processing data');
      await sleep(STEP_MS);
      await client.log('Tool execution completed');
      return { content: [text('Three messages are logged.')] };
    },
  },
  {
    name: 'test_sampling',
    description: 'Has the model of the client answer a prompt.',
    inputSchema: { type: 'object', properties: { prompt: { type: 'string' } }, required: ['prompt'] },
    call: async ({ prompt }, client) => ({ content: [text(`LLM response: ${await client.sample(String(prompt), 100)}`)] }),
  },
  {
    name: 'test_elicitation',
    description: 'Asks the user for a name and an address.',
    inputSchema: { type: 'object', properties: { message: { type: 'string' } }, required: ['message'] },
    call: ({ message }, client) => fillIn(client, String(message), PERSON),
  },
  {
    name: 'test_elicitation_sep1034_defaults',
    description: 'Asks the user to fill in a form that has a default in every field.',
    inputSchema: NO_INPUT,
    call: (_input, client) => fillIn(client, 'Is this right?', DEFAULTS),
  },
  {
    name: 'test_elicitation_sep1330_enums',
    description: 'Asks the user to choose, in every way a form can offer a choice.',
    inputSchema: NO_INPUT,
    call: (_input, client) => fillIn(client, 'What shall it be?', ENUMS),
  },
  {
    name: 'test_reconnection',
    description: 'Ends its stream half way, and leaves the answer for the client to fetch.',
    inputSchema: NO_INPUT,
    async call(_input, client) {
      await sleep(STEP_MS);
      client.closeStream();
      await sleep(2 * STEP_MS);
      return { content: [text('The answer was still there.')] };
    },
  },
];
