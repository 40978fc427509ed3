import type { ActionType, EntityType, SchemaJson, TypeOfAttribute } from '@cedar-policy/cedar-wasm/nodejs';
import { cedarTypeOf } from './input-type.ts';
import type { Registry } from './registry.ts';
import type { Tool } from './tool-catalogue.ts';
import { ACTIONS, memberId } from './vocabulary.ts';

const STRING: TypeOfAttribute<string> = { type: 'String', required: true };
const BOOLEAN: TypeOfAttribute<string> = { type: 'Boolean', required: true };

/** What every policy may read of the context, whatever the action. */
const COMMON_CONTEXT: Readonly<Record<string, TypeOfAttribute<string>>> = {
  agent: { type: 'Entity', name: 'Agent', required: true },
  now: { type: 'Extension', name: 'datetime', required: true },
};

/** The Cedar schema (JSON form) that policies are validated against: fixed entity types, and one action for each declared tool. */
export function cedarSchemaOf(registry: Registry): SchemaJson<string> {
  const actions: Record<string, ActionType<string>> = {
    [ACTIONS.connect]: action('Server'),
    [ACTIONS.callTool]: {},
    [ACTIONS.callUndeclaredTool]: action('Tool'),
    [ACTIONS.getPrompt]: action('Prompt'),
    [ACTIONS.readResource]: action('Resource'),
    [ACTIONS.sendMethod]: action('Method'),
    [ACTIONS.askClient]: action('Method'),
  };
  for (const [server, { catalogue }] of registry) {
    for (const tool of catalogue?.values() ?? []) {
      actions[memberId(server, tool.name)] = { ...action('Tool', tool), memberOf: [{ id: ACTIONS.callTool }] };
    }
  }
  return { '': { entityTypes: entityTypesOf(registry), actions } };
}

function entityTypesOf(registry: Registry): Record<string, EntityType<string>> {
  return {
    Group: {},
    User: entity(['Group'], { subject: STRING, issuer: STRING }),
    Agent: entity(['Group'], { namespace: STRING, serviceAccount: STRING }),
    // An enumeration, so that a policy about a server nobody registered (a typing error, mostly) is refused instead of never matching.
    Server: { enum: [...registry.keys()] },
    Tool: entity(['Server'], { name: STRING, readOnly: BOOLEAN, destructive: BOOLEAN }),
    Prompt: entity(['Server'], { name: STRING }),
    Resource: entity(['Server'], { uri: STRING }),
    Method: entity(['Server'], { name: STRING }),
  };
}

function entity(memberOfTypes: string[], attributes: Record<string, TypeOfAttribute<string>>): EntityType<string> {
  return { memberOfTypes, shape: { type: 'Record', attributes } };
}

function action(resourceType: string, tool?: Tool): ActionType<string> {
  const input = tool?.input === undefined ? {} : { input: { ...cedarTypeOf(tool.input), required: true } };
  return {
    appliesTo: {
      principalTypes: ['User'],
      resourceTypes: [resourceType],
      context: { type: 'Record', attributes: { ...COMMON_CONTEXT, ...input } },
    },
  };
}
