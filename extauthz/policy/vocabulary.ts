import type { TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import type { Operation } from '../api/operation.ts';
import type { Registry } from './registry.ts';
import type { Tool } from './tool-catalogue.ts';

/** Actions that have no tool in their name. The tools' own actions are `Action::"<server>/<tool>"`, in the group `CallTool`. */
export const ACTIONS = {
  connect: 'Connect',
  callTool: 'CallTool',
  /** Not in `CallTool`: a permit on the declared tools must not reach a tool that nobody reviewed. */
  callUndeclaredTool: 'CallUndeclaredTool',
  getPrompt: 'GetPrompt',
  readResource: 'ReadResource',
  sendMethod: 'SendMethod',
  askClient: 'AskClient',
} as const;

/** An operation in Cedar's terms. */
export interface Target {
  /** Id of the `Action` entity. */
  readonly action: string;
  /** Id of the action group that holds it, if any. */
  readonly actionGroup: string | undefined;
  readonly resource: TypeAndId;
  readonly attributes: Readonly<Record<string, string | boolean>>;
  /** The tool's catalogue entry, for a declared tool. */
  readonly tool: Tool | undefined;
}

/** Id of everything a server offers. Server names hold no slash, so that the first one always ends the name. */
export function memberId(server: string, name: string): string {
  return `${server}/${name}`;
}

/** `server` must be registered. */
export function targetOf(registry: Registry, server: string, operation: Operation): Target {
  const { target: name } = operation;
  const member = (action: string, type: string, attributes: Target['attributes']): Target => ({
    action,
    actionGroup: undefined,
    resource: { type, id: memberId(server, name) },
    attributes,
    tool: undefined,
  });
  switch (operation.action) {
    case 'Connect':
      return { action: ACTIONS.connect, actionGroup: undefined, resource: { type: 'Server', id: server }, attributes: {}, tool: undefined };
    case 'CallTool': {
      const tool = registry.get(server)?.catalogue?.get(name);
      // What is not known of a tool counts as the worst, as MCP's defaults for its hints do.
      if (tool === undefined) return member(ACTIONS.callUndeclaredTool, 'Tool', { name, readOnly: false, destructive: true });
      const { readOnly, destructive } = tool;
      const declared = member(memberId(server, name), 'Tool', { name, readOnly, destructive });
      return { ...declared, actionGroup: ACTIONS.callTool, tool };
    }
    case 'GetPrompt':
      return member(ACTIONS.getPrompt, 'Prompt', { name });
    case 'ReadResource':
      return member(ACTIONS.readResource, 'Resource', { uri: name });
    case 'SendMethod':
      return member(ACTIONS.sendMethod, 'Method', { name });
    case 'AskClient':
      return member(ACTIONS.askClient, 'Method', { name });
  }
}
