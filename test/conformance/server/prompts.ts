import { type EmbeddedText, embedded, type Image, image, type Text, text } from './content.ts';

interface PromptMessage {
  role: 'user';
  content: Text | Image | EmbeddedText;
}

type PromptArguments = Readonly<Record<string, string>>;

interface ConformancePrompt {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly { readonly name: string; readonly description: string; readonly required: boolean }[];
  messages(input: PromptArguments): PromptMessage[];
}

function said(content: PromptMessage['content']): PromptMessage {
  return { role: 'user', content };
}

const PROMPTS: readonly ConformancePrompt[] = [
  {
    name: 'test_simple_prompt',
    description: 'A prompt without arguments.',
    arguments: [],
    messages: () => [said(text('This is a simple prompt for testing.'))],
  },
  {
    name: 'test_prompt_with_arguments',
    description: 'A prompt that repeats its arguments.',
    arguments: [
      { name: 'arg1', description: 'First argument', required: true },
      { name: 'arg2', description: 'Second argument', required: true },
    ],
    messages: ({ arg1, arg2 }) => [said(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
  },
  {
    name: 'test_prompt_with_embedded_resource',
    description: 'A prompt that brings a resource along.',
    arguments: [{ name: 'resourceUri', description: 'Resource to embed', required: true }],
    messages: ({ resourceUri = '' }) => [
      said(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
      said(text('Please process the embedded resource above.')),
    ],
  },
  {
    name: 'test_prompt_with_image',
    description: 'A prompt that shows an image.',
    arguments: [],
    messages: () => [said(image()), said(text('Please analyze the image above.'))],
  },
];

export interface PromptEntry {
  name: string;
  description: string;
  arguments: { name: string; description: string; required: boolean }[];
}

export function listPrompts(): PromptEntry[] {
  return PROMPTS.map(({ name, description, arguments: named }) => ({ name, description, arguments: [...named] }));
}

/** Undefined when there is no such prompt, or an argument that it needs is missing. */
export function getPrompt(name: string, input: PromptArguments): { messages: PromptMessage[] } | undefined {
  const prompt = PROMPTS.find((each) => each.name === name);
  if (prompt?.arguments.every((argument) => !argument.required || argument.name in input) !== true) return undefined;
  return { messages: prompt.messages(input) };
}

const WORDS = ['paris', 'park', 'party', 'test value', 'testing'];

/** `completion/complete` for any argument. */
export function completions(value: string): { completion: { values: string[]; total: number; hasMore: boolean } } {
  const values = WORDS.filter((word) => word.startsWith(value));
  return { completion: { values, total: values.length, hasMore: false } };
}
