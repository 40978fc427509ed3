const ESSENCE = /[ \t]*application\/json[ \t]*(?=;|$)/iy;
const PARAMETER = /;[ \t]*(?:([!#$%&'*+.^_`|~0-9a-z-]+)=([!#$%&'*+.^_`|~0-9a-z-]+|"(?:[^"\\]|\\.)*")[ \t]*)?(?=;|$)/iy;

/**
 * Whether a `Content-Type` says JSON in UTF-8: `application/json` in any case, with any parameters but another charset
 * (RFC 9110 section 8.3.1). A gate that compared it letter by letter could be passed with `Application/json`.
 */
export function isJsonMediaType(value: string): boolean {
  if (value === 'application/json') return true;
  ESSENCE.lastIndex = 0;
  if (!ESSENCE.test(value)) return false;
  let at = ESSENCE.lastIndex;
  while (at < value.length) {
    PARAMETER.lastIndex = at;
    const parameter = PARAMETER.exec(value);
    if (parameter === null) return false;
    const [, name, text] = parameter;
    if (name?.toLowerCase() === 'charset' && !/^"?utf-8"?$/i.test(text ?? '')) return false;
    at = PARAMETER.lastIndex;
  }
  return true;
}
