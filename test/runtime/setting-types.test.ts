import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { readSettings, SettingsError, setting } from '../../runtime/env.ts';
import { address, oneOf, optionalHeaders, optionalUrl, type SettingSchema, text, url, wholeNumber } from '../../runtime/setting-types.ts';

const CASES: readonly (readonly [what: string, schema: SettingSchema<unknown>, text: string | undefined, read: unknown])[] = [
  ['host and port', address, 'localhost:9400', { host: 'localhost', port: 9_400 }],
  ['a port on every interface', address, ':0', { host: '::', port: 0 }],
  ['an IPv6 address', address, '[::1]:65535', { host: '::1', port: 65_535 }],
  ['a port that does not exist', address, 'localhost:65536', 'is not host:port'],
  ['an IPv6 address without brackets', address, '::1:9400', 'is not host:port'],
  ['no port', address, 'localhost', 'is not host:port'],
  ['nothing where something is required', address, undefined, 'is required'],
  ['the lowest number', wholeNumber(5, 10), '5', 5],
  ['the highest number', wholeNumber(5, 10), '10', 10],
  ['a number below', wholeNumber(5, 10), '4', 'must be at least 5'],
  ['a number above', wholeNumber(5, 10), '11', 'must be at most 10'],
  ['a sign', wholeNumber(0, 10), '+1', 'not a whole number'],
  ['a fraction', wholeNumber(0, 10), '1.5', 'not a whole number'],
  ['another notation', wholeNumber(0, 10_000), '1e3', 'not a whole number'],
  ['a number with a line after it', wholeNumber(0, 10), '1\n', 'not a whole number'],
  ['a URL', url, 'https://h/p', 'https://h/p'],
  ['no URL', url, 'h/p', 'not a URL'],
  ['nothing where nothing is required', optionalUrl, undefined, undefined],
  ['no URL where none is required', optionalUrl, 'h/p', 'not a URL'],
  ['header fields', optionalHeaders, 'Api-Key=a%20b, x=y=z', { 'api-key': 'a b', x: 'y=z' }],
  ['a header field without a value', optionalHeaders, 'a=b,c', 'not name=value,name=value'],
  ['a header field with a line break in its value', optionalHeaders, 'a=b\r\nc', 'not name=value,name=value'],
  ['a header field with an encoded line break', optionalHeaders, 'a=b%0d%0ac', 'a value has characters that no field may have'],
  ['a header field that is not percent-encoded', optionalHeaders, 'a=%zz', 'a value is not percent-encoded'],
  ['one of the values', oneOf(['a', 'b']), 'b', 'b'],
  ['none of the values', oneOf(['a', 'b']), 'toString', 'must be one of: a, b'],
];

describe('setting types', () => {
  for (const [what, schema, given, wanted] of CASES) {
    it(`read ${what}`, () => {
      const parsed = schema.safeParse(given);
      if (parsed.success) assert.deepEqual(parsed.data, wanted);
      else {
        const { message = '' } = parsed.error.issues[0] ?? {};
        assert.ok(message.endsWith(String(wanted)), message);
      }
    });
  }

  it('stand beside schemas of zod, and every mistake is named', () => {
    const settings = {
      name: setting({ env: 'NAME', schema: text, meaning: '' }),
      size: setting({ env: 'SIZE', schema: wholeNumber(1, 2), default: '1', meaning: '' }),
      list: setting({ env: 'LIST', schema: z.string().transform((list) => list.split(',')), meaning: '' }),
    };
    assert.deepEqual(readSettings(settings, { NAME: 'n', SIZE: '', LIST: 'a,b' }), { name: 'n', size: 1, list: ['a', 'b'] });
    assert.throws(
      () => readSettings(settings, { NAME: '', SIZE: '3', LIST: 'a' }),
      new SettingsError('NAME is required; SIZE: must be at most 2'),
    );
  });
});
