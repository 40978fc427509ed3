import type { CryptoKey, FlattenedJWSInput, JWSHeaderParameters } from 'jose';

/** Finds the key that a token names. It throws jose's own errors for "no such key", and `KeysUnavailable` when there was nothing to look in. */
export type KeySource = (header?: JWSHeaderParameters, token?: FlattenedJWSInput) => Promise<CryptoKey>;

/** The issuer's keys could not be had. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}
