/** The lines of the official TypeScript SDK: `v1` speaks the revisions to 2025-11-25, `v2` those and 2026-07-28. */
export type SdkLine = 'v1' | 'v2';
