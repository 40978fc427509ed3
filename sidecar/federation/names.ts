/** A name that an agent uses, taken apart. */
export interface SplitName {
  readonly server: string;
  /** What the server itself calls it. */
  readonly own: string;
}

/** Before a server name that cannot begin a URI scheme (RFC 3986 section 3.1: a letter). No server name holds a dot, so that nothing else reads like it. */
const SCHEME_LEAD = 'x.';

/** `server.tool`: how tools, prompts and tasks of one server are told from another's. */
export function federatedName(server: string, own: string): string {
  return `${server}.${own}`;
}

/** Server names hold no dot, so that the first one ends the name; what follows may hold more. Undefined when one of the two is empty. */
export function splitName(name: string): SplitName | undefined {
  const dot = name.indexOf('.');
  return dot < 1 || dot === name.length - 1 ? undefined : { server: name.slice(0, dot), own: name.slice(dot + 1) };
}

/** `server+file:///x`: the server becomes part of the scheme, so that what was a URI or a URI template stays one. */
export function federatedUri(server: string, own: string): string {
  return `${/^[a-z]/.test(server) ? '' : SCHEME_LEAD}${server}+${own}`;
}

/** Server names hold no plus sign, so that the first one ends the name. Undefined when a part is missing, or another spelling of it would be right. */
export function splitUri(uri: string): SplitName | undefined {
  const plus = uri.indexOf('+');
  const lead = uri.startsWith(SCHEME_LEAD) ? SCHEME_LEAD.length : 0;
  if (plus <= lead || plus === uri.length - 1) return undefined;
  const split = { server: uri.slice(lead, plus), own: uri.slice(plus + 1) };
  return federatedUri(split.server, split.own) === uri ? split : undefined;
}

/** Before the ids of events that servers send by themselves, so that they differ from those of a call's answer. No server name begins so. */
const OF_THE_STREAM = '*';

/** What a client that lost a stream was last sent. */
export interface LastEvent extends SplitName {
  /** Whether it came on the stream of all servers, and not with the answer to one call. */
  readonly isOfTheStream: boolean;
}

export function streamEventId(server: string, own: string): string {
  return `${OF_THE_STREAM}${federatedName(server, own)}`;
}

/** `Last-Event-ID` taken apart; undefined when no event had it. */
export function splitEventId(id: string): LastEvent | undefined {
  const isOfTheStream = id.startsWith(OF_THE_STREAM);
  const split = splitName(isOfTheStream ? id.slice(OF_THE_STREAM.length) : id);
  return split && { ...split, isOfTheStream };
}

/**
 * The id under which the agent sees a server's request, as JSON: a string, in which the id stands as the server wrote it.
 * Ids of different servers, and `5` and `"5"` of the same, stay apart.
 */
export function federatedId(server: string, idJson: string): string {
  return JSON.stringify(federatedName(server, idJson));
}

/** The server's own id, as it wrote it. Undefined when the text is not one that `federatedId` makes. */
export function splitId(id: unknown): SplitName | undefined {
  const split = typeof id === 'string' ? splitName(id) : undefined;
  return split !== undefined && isIdJson(split.own) ? split : undefined;
}

/** A JSON string or an integer, and nothing around it: it is put into a message as it is. */
function isIdJson(text: string): boolean {
  if (/^-?(?:0|[1-9][0-9]*)$/.test(text)) return true;
  if (!/^".*"$/s.test(text)) return false;
  try {
    return typeof JSON.parse(text) === 'string';
  } catch {
    return false;
  }
}
