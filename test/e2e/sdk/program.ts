/** A program that speaks MCP over its standard streams. */
export interface Program {
  readonly command: string;
  readonly args: string[];
  /** Beside what the SDK passes on by itself. */
  readonly env: Record<string, string>;
}
