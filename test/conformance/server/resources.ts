import { PIXEL } from './content.ts';

export interface ResourceEntry {
  uri: string;
  name: string;
  description: string;
  mimeType: string;
}

type Contents = { uri: string; mimeType: string; text: string } | { uri: string; mimeType: string; blob: string };

const TEXT_URI = 'test://static-text';
const BINARY_URI = 'test://static-binary';
const WATCHED_URI = 'test://watched-resource';
const TEMPLATE_PARTS = /^test:\/\/template\/([^/]+)\/data$/;

export function listResources(): ResourceEntry[] {
  return [
    { uri: TEXT_URI, name: 'static-text', description: 'A text that stays as it is.', mimeType: 'text/plain' },
    { uri: BINARY_URI, name: 'static-binary', description: 'An image that stays as it is.', mimeType: PIXEL.mimeType },
    { uri: WATCHED_URI, name: 'watched-resource', description: 'A text that can be subscribed to.', mimeType: 'text/plain' },
  ];
}

export function listResourceTemplates(): { uriTemplate: string; name: string; description: string; mimeType: string }[] {
  const description = 'Data for any id.';
  return [{ uriTemplate: 'test://template/{id}/data', name: 'template', description, mimeType: 'application/json' }];
}

/** Undefined when nothing is there. */
export function readResource(uri: string): { contents: Contents[] } | undefined {
  if (uri === TEXT_URI) return one({ uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' });
  if (uri === BINARY_URI) return one({ uri, mimeType: PIXEL.mimeType, blob: PIXEL.data });
  if (uri === WATCHED_URI) return one({ uri, mimeType: 'text/plain', text: 'Nothing has happened yet.' });
  const id = TEMPLATE_PARTS.exec(uri)?.[1];
  if (id === undefined) return undefined;
  return one({ uri, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) });
}

function one(contents: Contents): { contents: Contents[] } {
  return { contents: [contents] };
}
