import { setTimeout as sleep } from 'node:timers/promises';
import { audio, embedded, image, text } from './content.ts';
import { type ConformanceTool, NO_INPUT } from './tool.ts';

const STEP_MS = 50;

/** Tools of every revision. The first one takes no input: the suite calls it to try out headers. */
export const TOOLS: readonly ConformanceTool[] = [
  {
    name: 'test_simple_text',
    description: 'Answers one text.',
    inputSchema: NO_INPUT,
    call: () => ({ content: [text('This is a simple text response for testing.')] }),
  },
  {
    name: 'test_image_content',
    description: 'Answers one image.',
    inputSchema: NO_INPUT,
    call: () => ({ content: [image()] }),
  },
  {
    name: 'test_audio_content',
    description: 'Answers one sound.',
    inputSchema: NO_INPUT,
    call: () => ({ content: [audio()] }),
  },
  {
    name: 'test_embedded_resource',
    description: 'Answers one embedded resource.',
    inputSchema: NO_INPUT,
    call: () => ({ content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')] }),
  },
  {
    name: 'test_multiple_content_types',
    description: 'Answers a text, an image and an embedded resource.',
    inputSchema: NO_INPUT,
    call: () => ({
      content: [
        text('Multiple content types test:'),
        image(),
        embedded('test://mixed-content-resource', 'application/json', JSON.stringify({ test: 'data', value: 123 })),
      ],
    }),
  },
  {
    name: 'test_error_handling',
    description: 'Fails, always.',
    inputSchema: NO_INPUT,
    call: () => ({ content: [text('This tool intentionally returns an error for testing')], isError: true }),
  },
  {
    name: 'test_tool_with_progress',
    description: 'Works in three steps and reports each one to a caller who asked for it.',
    inputSchema: NO_INPUT,
    async call(_input, client) {
      await client.progress(0, 100);
      await sleep(STEP_MS);
      await client.progress(50, 100);
      await sleep(STEP_MS);
      await client.progress(100, 100);
      return { content: [text('All three steps are done.')] };
    },
  },
  {
    name: 'json_schema_2020_12_tool',
    description: 'Has an input schema with much of the vocabulary of JSON Schema 2020-12.',
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: {
        address: { $anchor: 'addressDef', type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
      },
      properties: {
        name: { type: 'string' },
        address: { $ref: '#/$defs/address' },
        contactMethod: { type: 'string', enum: ['phone', 'email'] },
        phone: { type: 'string' },
        email: { type: 'string' },
      },
      allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
      if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { required: ['phone'] },
      else: { required: ['email'] },
      additionalProperties: false,
    },
    call: (input) => ({ content: [text(`Keys of the input: ${Object.keys(input).join(', ')}`)] }),
  },
];
