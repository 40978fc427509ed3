export const REASONS = {
  tool: 'this tool is not for bob',
  resource: 'this resource is not for bob',
  sampling: "bob's model answers no server",
} as const;

/** Everything is permitted to alice; bob may not have what is called vault, secret or closed, and nobody may sample his model. */
export const POLICIES = `
permit (
    principal == User::"alice",
    action in [Action::"CallUndeclaredTool", Action::"GetPrompt", Action::"ReadResource", Action::"SendMethod", Action::"AskClient"],
    resource
);
permit (
    principal == User::"bob",
    action in [Action::"CallUndeclaredTool", Action::"GetPrompt", Action::"ReadResource", Action::"AskClient"],
    resource
);
@reason("${REASONS.tool}")
forbid (principal == User::"bob", action == Action::"CallUndeclaredTool", resource) when { resource.name == "vault" };
forbid (principal == User::"bob", action == Action::"GetPrompt", resource) when { resource.name == "secret-plan" };
@reason("${REASONS.resource}")
forbid (principal == User::"bob", action == Action::"ReadResource", resource) when { resource.uri like "note://closed/*" };
@reason("${REASONS.sampling}")
forbid (principal == User::"bob", action == Action::"AskClient", resource) when { resource.name == "sampling/createMessage" };
`;
