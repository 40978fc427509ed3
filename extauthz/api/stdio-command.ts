/** How to start a stdio MCP server: a program, its arguments, and what its environment gets besides the little it always has. No shell reads any of it. */
export interface StdioCommand {
  /** An absolute path, or a name to look up in PATH. */
  readonly command: string;
  readonly args: readonly string[];
  readonly env: readonly EnvironmentVariable[];
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
}

/** A plain name, or an absolute path without parts that lead elsewhere. */
const COMMAND = /^(?:[A-Za-z0-9_][A-Za-z0-9._+-]*|(?:\/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*|\/\.[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)+)$/;

export function isCommandName(command: string): boolean {
  return COMMAND.test(command);
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Variables that make a program load other code, or stand for the sidecar's own settings. Whoever may start one program with them may
 * start any. The list cannot be complete: a program may have such a variable of its own.
 */
const CODE_LOADING =
  /^(?:PATH|HOME|SHELL|IFS|ENV|BASH_ENV|BASH_FUNC_.*|LD_.*|DYLD_.*|GCONV_PATH|NODE_.*|NPM_CONFIG_.*|PYTHON.*|PERL5?(?:OPT|LIB|DB)|RUBY(?:OPT|LIB)|GEM_(?:HOME|PATH)|(?:_?JAVA|JDK_JAVA)(?:_TOOL)?_OPTIONS|CLASSPATH|DOTNET_.*|COR(?:ECLR)?_.*|PHPRC|PHP_INI_SCAN_DIR|GIT_.*|SSH_.*|EDITOR|PAGER|SIDEGATE_.*)$/i;

/** Why a bundle may not set a variable of a server's environment; undefined when it may. */
export function variableFault(name: string): string | undefined {
  if (!VARIABLE.test(name)) return 'is not the name of an environment variable';
  return CODE_LOADING.test(name) ? 'decides which code a program loads, so a bundle must not set it' : undefined;
}
