import { isCommandName } from '../../extauthz/api/stdio-command.ts';
import { StartupError } from '../../runtime/lifecycle.ts';

/**
 * The commands that the pod's operator lets a bundle start. A bundle must name a command exactly as it stands here, so that
 * allowing `/usr/bin/node` does not allow whatever `node` is found first in PATH.
 */
export class AllowedCommands {
  readonly #commands: ReadonlySet<string>;

  /** @throws {StartupError} when an entry could never match. */
  constructor(setting: string | undefined) {
    const commands = (setting ?? '').split(',').flatMap((entry) => (entry.trim() === '' ? [] : [entry.trim()]));
    const unusable = commands.find((command) => !isCommandName(command));
    if (unusable !== undefined)
      throw new StartupError(`SIDEGATE_STDIO_COMMANDS: "${unusable}" is neither a command name nor an absolute path`);
    this.#commands = new Set(commands);
  }

  has(command: string): boolean {
    return this.#commands.has(command);
  }
}
