/** One pixel. The suite looks only for data and a media type. */
export const PIXEL = {
  data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mNQ6jgDAAJGAXfL5BMqAAAAAElFTkSuQmCC',
  mimeType: 'image/png',
} as const;

/** Eight samples of silence. */
const SILENCE = {
  data: 'UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQgAAACAgICAgICAgA==',
  mimeType: 'audio/wav',
} as const;

export type Text = {
  type: 'text';
  text: string;
};

export type Image = {
  type: 'image';
  data: string;
  mimeType: string;
};

export type Audio = {
  type: 'audio';
  data: string;
  mimeType: string;
};

export type EmbeddedText = {
  type: 'resource';
  resource: { uri: string; mimeType: string; text: string };
};

/** Types, not interfaces: the SDK's own types have index signatures, to which interfaces cannot be assigned. */
export type Content = Text | Image | Audio | EmbeddedText;

export function text(value: string): Text {
  return { type: 'text', text: value };
}

export function image(): Image {
  return { type: 'image', ...PIXEL };
}

export function audio(): Audio {
  return { type: 'audio', ...SILENCE };
}

export function embedded(uri: string, mimeType: string, value: string): EmbeddedText {
  return { type: 'resource', resource: { uri, mimeType, text: value } };
}
