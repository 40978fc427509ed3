import fc from 'fast-check';
import { dropMember, memberOf, setMember, textOf, type Written, written } from './json-text.ts';
import { MARKER } from './pretend-policy.ts';
import { Choices } from './random.ts';

/** An HTTP answer of the server's. */
export interface GeneratedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly pieces: readonly Buffer[];
  /** Whether something in it has to be hidden. */
  readonly hides: boolean;
  /**
   * What the agent is to have when the answer is one that nothing is wrong with: the names of the items that are shown, in order.
   * Undefined when the whole answer may be refused.
   */
  readonly shown: readonly string[] | undefined;
}

/** What fast-check chooses and shrinks; the rest follows from the seed. */
export const ANSWER = fc.record({
  seed: fc.nat(),
  isStream: fc.boolean(),
  fitsMethod: fc.integer({ min: 0, max: 9 }).map((number) => number > 0),
  mutations: fc.integer({ min: 0, max: 4 }).map((number) => Math.max(0, number - 2)),
  others: fc.integer({ min: 0, max: 3 }),
});

export type AnswerSpec = typeof ANSWER extends fc.Arbitrary<infer Value> ? Value : never;

/** What the server is answering. */
export interface Asked {
  readonly method: unknown;
  /** The id as it was sent. */
  readonly idJson: string;
}

const LISTS = [
  { method: 'tools/list', items: 'tools', key: 'name', shown: 'safe-', hidden: MARKER },
  { method: 'prompts/list', items: 'prompts', key: 'name', shown: 'safe-', hidden: MARKER },
  { method: 'resources/list', items: 'resources', key: 'uri', shown: 'file:///public/', hidden: `file:///${MARKER}/` },
  {
    method: 'resources/templates/list',
    items: 'resourceTemplates',
    key: 'uriTemplate',
    shown: 'file:///public/{n}',
    hidden: `file:///${MARKER}/{n}`,
  },
] as const;
type List = (typeof LISTS)[number];

export function answerOf(spec: AnswerSpec, { method, idJson }: Asked): GeneratedAnswer {
  const choices = new Choices(spec.seed);
  const own = LISTS.find((list) => list.method === method);
  const list = spec.fitsMethod ? own : choices.of(LISTS);
  const state = { hides: false };
  const id = spec.fitsMethod || choices.chance(50) ? idJson : choices.of(['1', '"late"', 'null', '99']);
  const { message, shown } = list === undefined ? plainAnswer(id, choices) : listAnswer(list, id, state, choices);
  const mutations = Math.min(spec.mutations, 2);
  for (let left = mutations; left > 0; left -= 1) mutate(message, state, choices);
  const fits = spec.fitsMethod && mutations === 0 && shown !== undefined;
  if (!spec.isStream) {
    const isBatch = mutations > 0 && choices.chance(15);
    const status = choices.chance(mutations === 0 ? 5 : 15) ? choices.of([400, 404, 500]) : 200;
    const body = broken(Buffer.from(textOf(isBatch ? { items: [message] } : message, choices)), mutations, choices);
    return {
      status,
      headers: { 'content-type': choices.of(['application/json', 'Application/JSON; charset=utf-8']) },
      pieces: choices.pieces(body),
      hides: state.hides,
      shown: fits && status === 200 ? shown : undefined,
    };
  }
  const messages = Array.from({ length: spec.others }, () => otherMessage(state, choices));
  messages.splice(choices.below(messages.length + 1), 0, message);
  // A stream may be replayed, and carry an answer twice.
  if (choices.chance(10)) messages.push(message);
  const isPlain = spec.others === 0 && messages.length === 1;
  const stream = broken(eventStream(messages, choices), mutations, choices);
  return {
    status: 200,
    headers: { 'content-type': choices.of(['text/event-stream', 'text/event-stream; charset=utf-8', 'Text/Event-Stream']) },
    pieces: choices.pieces(stream),
    hides: state.hides,
    shown: fits && isPlain ? shown : undefined,
  };
}

interface State {
  hides: boolean;
}

function plainAnswer(idJson: string, choices: Choices): { message: Written; shown: undefined } {
  const result = choices.of([
    {},
    { content: [{ type: 'text', text: 'done' }] },
    { resultType: 'input_required', inputRequests: { a: { method: 'elicitation/create', params: {} } } },
    { contents: [{ uri: 'file:///public/a', text: 'a' }], ttlMs: 5 },
  ]);
  const message = written({ jsonrpc: '2.0', id: 0, result });
  setMember(message, 'id', { text: idJson });
  return { message, shown: undefined };
}

function listAnswer(list: List, idJson: string, state: State, choices: Choices): { message: Written; shown: readonly string[] } {
  const shown: string[] = [];
  const items: Written[] = [];
  for (let left = choices.below(6); left > 0; left -= 1) {
    if (choices.chance(50)) {
      const name = list.shown + choices.below(3);
      shown.push(name);
      items.push(
        written(choices.of([{ [list.key]: name }, { title: 't\u2028\u0085', [list.key]: name, inputSchema: { type: 'object' } }])),
      );
    } else {
      state.hides = true;
      items.push(hiddenItem(list, choices));
    }
  }
  const result = written({});
  const place = () => setMember(result, list.items, { items });
  const around = [
    () => setMember(result, 'nextCursor', written('next')),
    () => setMember(result, 'ttlMs', { text: choices.of(['0', '600000', '-1', 'null', '1e99']) }),
    () => setMember(result, 'cacheScope', written(choices.of(['public', 'private']))),
    () => setMember(result, '_meta', written({ a: [1, { b: '}' }] })),
  ].filter(() => choices.chance(40));
  around.splice(choices.below(around.length + 1), 0, place);
  for (const add of around) add();
  const message = written({ jsonrpc: '2.0', id: 0 });
  setMember(message, 'id', { text: idJson });
  setMember(message, 'result', result);
  return { message, shown };
}

/** An item that the user may not see, each of its members with the marker, its name in some way that a client could read. */
function hiddenItem({ key, hidden, shown }: List, choices: Choices): Written {
  const name = hidden + choices.below(3);
  const value = written(name);
  const plain: [string, Written][] = [
    [key, value],
    ['description', written(`about ${MARKER}`)],
  ];
  switch (choices.below(9)) {
    case 0:
      return { members: [['title', written(MARKER)], ...plain, ['_meta', written({ deep: [{ name: MARKER }] })]] };
    case 1:
      return { members: [[key.toUpperCase(), value]] };
    case 2:
      return {
        members: [
          [key, written(`${shown}0`)],
          [`${key.slice(0, 1).toUpperCase()}${key.slice(1)}`, value],
        ],
      };
    case 3:
      return { items: [{ members: plain }] };
    case 4:
      return { members: [[key, { items: [value] }]] };
    case 5:
      return value;
    case 6:
      return { members: [[key, { text: `"${MARKER}\\ud800"` }]] };
    default:
      return { members: plain };
  }
}

/** What else stands on a stream: notifications, requests of the server's, answers to other requests. */
function otherMessage(state: State, choices: Choices): Written {
  const kind = choices.below(7);
  if (kind < 2) return written({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 7, progress: kind } });
  state.hides = true;
  switch (kind) {
    case 2:
      return written({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: `file:///${MARKER}` } });
    case 3:
      return written({
        jsonrpc: '2.0',
        id: 'ask-9',
        method: choices.of(['sampling/createMessage', `vendor/${MARKER}`]),
        params: { text: MARKER },
      });
    case 4: {
      const inputRequests = { a: { method: 'sampling/createMessage', params: { text: MARKER } } };
      return written({ jsonrpc: '2.0', id: 5, result: { resultType: 'input_required', inputRequests } });
    }
    default:
      return listAnswer(choices.of(LISTS), choices.of(['1', '"late"', '7']), state, choices).message;
  }
}

/** Says a thing twice, or where only some clients look. */
function mutate(message: Written, state: State, choices: Choices): void {
  const result = memberOf(message, 'result');
  const list = choices.of(LISTS);
  const item = hiddenItem(list, choices);
  const smuggled: Written = choices.chance(80) ? { items: [item] } : choices.of([{ members: [['0', item]] }, written(MARKER)]);
  const holder = choices.chance(70) ? result : message;
  if (holder === undefined || !('members' in holder)) return;
  const insert = (member: [string, Written]) => void (choices.chance(50) ? holder.members.unshift(member) : holder.members.push(member));
  const whole = written({});
  setMember(whole, list.items, smuggled);
  const key = holder === message ? 'result' : list.items;
  const value = holder === message ? whole : smuggled;
  switch (choices.below(6)) {
    case 0:
      state.hides = true;
      return insert([key, value]);
    case 1:
      state.hides = true;
      return insert([
        choices.of([key.toUpperCase(), key.replace('s', '\u017f'), `${key.slice(0, 1).toUpperCase()}${key.slice(1)}`]),
        value,
      ]);
    case 2:
      return setMember(message, choices.of(['id', 'jsonrpc', 'result']), { text: choices.of(['null', '[]', '1.5', '"x"', '{}']) });
    case 3:
      return dropMember(message, choices.of(['id', 'result']));
    case 4:
      return insert([choices.of(['method', 'error', 'Method']), written(choices.of(['ping', { code: 1, message: 'm' }]))]);
    default:
      state.hides = true;
      return setMember(result, list.items, smuggled);
  }
}

/** Lines that say nothing to a client, and could say anything. */
const IGNORED = [':', `: ${MARKER}`, `other: ${MARKER}`, MARKER, ` data: ${MARKER}`, `retry: ${MARKER}`];
const EVENT_ENDS = ['\n', '\r', '\r\n'] as const;

/** The messages as an event stream, framed in any of the ways that the HTML standard has. */
function eventStream(messages: readonly Written[], choices: Choices): Buffer {
  const usual = choices.of(EVENT_ENDS);
  let stream = choices.chance(10) ? '\ufeff' : '';
  let isAfterCr = false;
  const end = () => {
    const chosen = choices.chance(90) ? usual : choices.of(EVENT_ENDS);
    // A CR and an LF are one line end together.
    const distinct = isAfterCr && chosen === '\n' ? '\r\n' : chosen;
    isAfterCr = distinct === '\r';
    return distinct;
  };
  const extra = () => {
    const line = choices.chance(40) ? choices.of([...IGNORED, '', `id: ${choices.below(100)}`, 'retry: 10', 'event: message']) : '';
    return line === '' ? '' : line + end();
  };
  for (const message of messages) {
    if (choices.chance(15)) stream += `${choices.of(IGNORED)}${end()}${end()}`;
    if (choices.chance(10)) stream += `id: 0${end()}data: ${end()}${end()}`;
    const lines = textOf(message, choices).split(/[\r\n]+/);
    stream += extra();
    for (const line of lines) stream += `data:${choices.chance(80) ? ' ' : ''}${line}${end()}${choices.chance(10) ? extra() : ''}`;
    stream += extra() + end() + (choices.chance(10) ? end() : '');
  }
  return Buffer.from(stream);
}

/** Bytes that went wrong on the way. */
function broken(bytes: Buffer, mutations: number, choices: Choices): Buffer {
  if (mutations === 0 || bytes.length === 0 || !choices.chance(30)) return bytes;
  const at = choices.below(bytes.length);
  const inserted = (place: number, some: Buffer) => Buffer.concat([bytes.subarray(0, place), some, bytes.subarray(place)]);
  switch (choices.below(5)) {
    case 0:
      return inserted(0, Buffer.from('\ufeff'));
    case 1:
      return inserted(at, Buffer.of(choices.of([0xff, 0xc0, 0x00, 0x85])));
    case 2:
      return bytes.subarray(0, at);
    case 3:
      return Buffer.concat([bytes, bytes]);
    default:
      return inserted(at, Buffer.from(choices.of(['\n\n', '\r', '\n', '\r\n\r\n'])));
  }
}
