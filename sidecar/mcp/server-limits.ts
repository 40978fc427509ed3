import type { StrictJsonLimits } from '../../extauthz/api/json-fault.ts';

/**
 * What is taken from a server. Its strings are passed on, not judged, so half of a surrogate pair may stand in them; and its lists are
 * longer than anything an agent sends. What has more nodes still is read in a tenth of a second and held in less than 100 MB.
 */
export const SERVER_LIMITS: StrictJsonLimits = { loneSurrogates: true, maxNodes: 250_000 };
