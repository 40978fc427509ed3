/** Sidegate's version; the release check compares it with package.json. */
export const VERSION = '0.1.0';
