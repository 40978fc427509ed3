import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  type ClientCapabilities,
  type InputRequests,
  type InputRequiredResult,
  inputRequired,
  inputResponse,
  type RequestStateCodec,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { text } from './content.ts';
import type { ToolResult } from './tool.ts';

/** What a tool of several rounds keeps at the client between two of them. */
export interface Progress {
  readonly round: number;
}

export interface InputRequiredTool {
  readonly name: string;
  readonly description: string;
  call(context: ServerContext, states: RequestStateCodec<Progress>): Promise<ToolResult | InputRequiredResult>;
}

const NAME = z.object({ name: z.string() });
const COLOR = z.object({ color: z.string() });
const CONSENT = z.object({ ok: z.boolean() });

function askForSample(prompt: string, maxTokens: number): InputRequests[string] {
  return inputRequired.createMessage({ messages: [{ role: 'user', content: text(prompt) }], maxTokens });
}

function said(value: string): ToolResult {
  return { content: [text(value)] };
}

/** Tools that need several round trips (MCP 2026-07-28, Multi Round-Trip Requests). */
export const INPUT_REQUIRED_TOOLS: readonly InputRequiredTool[] = [
  {
    name: 'test_input_required_result_elicitation',
    description: 'Greets the user by the name that the user gives.',
    async call({ mcpReq }) {
      const name = acceptedContent(mcpReq.inputResponses, 'user_name', NAME)?.name;
      if (name === undefined)
        return inputRequired({
          inputRequests: { user_name: inputRequired.elicit({ message: 'What is your name?', requestedSchema: NAME }) },
        });
      return said(`Hello, ${name}!`);
    },
  },
  {
    name: 'test_input_required_result_sampling',
    description: 'Repeats what the model of the client says.',
    async call({ mcpReq }) {
      const answer = inputResponse(mcpReq.inputResponses, 'capital_question');
      if (answer.kind !== 'sampling')
        return inputRequired({ inputRequests: { capital_question: askForSample('What is the capital of France?', 100) } });
      return said(`The model says: ${JSON.stringify(answer.result.content)}`);
    },
  },
  {
    name: 'test_input_required_result_list_roots',
    description: 'Counts the roots of the client.',
    async call({ mcpReq }) {
      const answer = inputResponse(mcpReq.inputResponses, 'client_roots');
      if (answer.kind !== 'roots') return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
      return said(`Roots: ${answer.roots.map(({ uri }) => uri).join(', ')}`);
    },
  },
  {
    name: 'test_input_required_result_request_state',
    description: 'Finds its own state again after a round trip.',
    async call({ mcpReq }, states) {
      const ok = acceptedContent(mcpReq.inputResponses, 'confirm', CONSENT)?.ok;
      if (ok !== undefined && mcpReq.requestState<Progress>()?.round === 1) return said('state-ok');
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema: CONSENT }) },
        requestState: await states.mint({ round: 1 }),
      });
    },
  },
  {
    name: 'test_input_required_result_multiple_inputs',
    description: 'Asks user, model and client at once.',
    async call({ mcpReq }, states) {
      const name = acceptedContent(mcpReq.inputResponses, 'user_name', NAME)?.name;
      const greeting = inputResponse(mcpReq.inputResponses, 'greeting');
      const roots = inputResponse(mcpReq.inputResponses, 'client_roots');
      if (name !== undefined && greeting.kind === 'sampling' && roots.kind === 'roots')
        return said(`${name} with ${roots.roots.length} roots is greeted`);
      return inputRequired({
        inputRequests: {
          user_name: inputRequired.elicit({ message: 'What is your name?', requestedSchema: NAME }),
          greeting: askForSample('Generate a greeting', 50),
          client_roots: inputRequired.listRoots(),
        },
        requestState: await states.mint({ round: 1 }),
      });
    },
  },
  {
    name: 'test_input_required_result_multi_round',
    description: 'Asks twice, one question after the other.',
    async call({ mcpReq }, states) {
      const round = mcpReq.requestState<Progress>()?.round ?? 0;
      if (round === 2 && acceptedContent(mcpReq.inputResponses, 'step2', COLOR) !== undefined) return said('Both questions are answered.');
      if (round === 1 && acceptedContent(mcpReq.inputResponses, 'step1', NAME) !== undefined)
        return inputRequired({
          inputRequests: { step2: inputRequired.elicit({ message: 'Step 2: What is your favorite color?', requestedSchema: COLOR }) },
          requestState: await states.mint({ round: 2 }),
        });
      return inputRequired({
        inputRequests: { step1: inputRequired.elicit({ message: 'Step 1: What is your name?', requestedSchema: NAME }) },
        requestState: await states.mint({ round: 1 }),
      });
    },
  },
  {
    name: 'test_input_required_result_tampered_state',
    description: 'Takes back only the state that it gave out.',
    async call({ mcpReq }, states) {
      if (mcpReq.requestState<Progress>() !== undefined) return said('The state is as it was.');
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema: CONSENT }) },
        requestState: await states.mint({ round: 1 }),
      });
    },
  },
  {
    name: 'test_input_required_result_capabilities',
    description: 'Asks only for what the client declared.',
    async call({ mcpReq }) {
      if (mcpReq.inputResponses !== undefined) return said('Thank you.');
      const envelope: Readonly<Record<string, unknown>> = mcpReq.envelope ?? {};
      const { elicitation, sampling } = (envelope[CLIENT_CAPABILITIES_META_KEY] ?? {}) as ClientCapabilities;
      const inputRequests: InputRequests = {};
      if (elicitation !== undefined) inputRequests['form'] = inputRequired.elicit({ message: 'What is your name?', requestedSchema: NAME });
      if (sampling !== undefined) inputRequests['sample'] = askForSample('Say something', 50);
      return Object.keys(inputRequests).length === 0 ? said('There is nobody to ask.') : inputRequired({ inputRequests });
    },
  },
  {
    name: 'test_missing_capability',
    description: 'Needs the model of the client, and fails with a client that has none.',
    async call({ mcpReq }) {
      const answer = inputResponse(mcpReq.inputResponses, 'sample');
      if (answer.kind === 'sampling') return said('The model has answered.');
      return inputRequired({ inputRequests: { sample: askForSample('Say something', 50) } });
    },
  },
  {
    name: 'test_streaming_elicitation',
    description: 'Asks for input with the result, never with a request of its own.',
    async call({ mcpReq }) {
      const name = acceptedContent(mcpReq.inputResponses, 'user_name', NAME)?.name;
      if (name !== undefined) return said(`Hello, ${name}!`);
      return inputRequired({
        inputRequests: { user_name: inputRequired.elicit({ message: 'What is your name?', requestedSchema: NAME }) },
      });
    },
  },
];
