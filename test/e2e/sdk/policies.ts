/** Everything is permitted to alice, by name what MCP does not define. */
const PERMISSIVE = `
@id("alice")
permit (
    principal == User::"alice",
    action in [Action::"CallTool", Action::"CallUndeclaredTool", Action::"GetPrompt", Action::"ReadResource", Action::"SendMethod", Action::"AskClient"],
    resource
);
`;

/** Like alice, bob may do everything that is not named here. */
const RESTRICTIVE = `
@id("bob")
permit (
    principal == User::"bob",
    action in [Action::"CallTool", Action::"CallUndeclaredTool", Action::"GetPrompt", Action::"ReadResource", Action::"AskClient"],
    resource
);
@id("bob/tools")
@reason("this tool is not for bob")
forbid (
    principal == User::"bob",
    action in [Action::"everything/get-env", Action::"everything/get-sum", Action::"everything/simulate-research-query"],
    resource
);
@id("bob/undeclared-tools")
@reason("this tool is not for bob")
forbid (
    principal == User::"bob",
    action == Action::"CallUndeclaredTool",
    resource
) when { resource.name == "vault" };
@id("bob/prompts")
@reason("this prompt is not for bob")
forbid (
    principal == User::"bob",
    action == Action::"GetPrompt",
    resource
) when { resource.name == "completable-prompt" || resource.name == "secret-plan" };
@id("bob/may-be-asked")
permit (
    principal == User::"bob",
    action == Action::"AskClient",
    resource
);
@id("bob/samples-nothing")
@reason("bob's model answers no server")
forbid (
    principal == User::"bob",
    action == Action::"AskClient",
    resource
) when { resource.name == "sampling/createMessage" };
@id("bob/resources")
@reason("this resource is not for bob")
forbid (
    principal == User::"bob",
    action == Action::"ReadResource",
    resource
) when {
    resource.uri like "*/architecture.md" || resource.uri like "demo://resource/dynamic/blob/*" || resource.uri like "note://closed/*"
};
`;

/** Rita may use what says of itself that it only reads; a tool that nobody declared says nothing. */
const READ_ONLY = `
@id("rita/reads")
permit (
    principal == User::"rita",
    action in [Action::"CallTool", Action::"ReadResource"],
    resource
);
@id("rita/writes-nothing")
@reason("rita only reads")
forbid (
    principal == User::"rita",
    action in Action::"CallTool",
    resource
) unless { resource.readOnly };
`;

export const POLICIES = PERMISSIVE + RESTRICTIVE;
export const READER_POLICIES = PERMISSIVE + READ_ONLY;

export const REASONS = {
  tool: 'this tool is not for bob',
  prompt: 'this prompt is not for bob',
  resource: 'this resource is not for bob',
  write: 'rita only reads',
  sampling: "bob's model answers no server",
} as const;
