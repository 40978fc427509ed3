"""Takes steps with the official Python SDK and prints what came of each.

Reads a JSON array of jobs from standard input: {label, url, token, mode, steps}, or {program} in place of url and token, and then
{calls, fresh, roots} in place of steps. Prints one JSON object: label to step to outcome, which is {"value": ...} or
{"error": {type, code, message, data}}.
"""

import asyncio
import json
import sys
import warnings
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError

import programs
from client import Step, Surface, connect, handshake, plain

# Methods that 2026-07-28 no longer has are deprecated in the SDK; the older revisions have them.
warnings.simplefilter("ignore")


def calls(*planned: tuple[str, dict[str, Any]]) -> dict[str, Step]:
    def step(tool: str, arguments: dict[str, Any]) -> Step:
        return lambda surface: surface.client.call_tool(tool, arguments)

    return {f"tools/call {tool} ({index})": step(tool, arguments) for index, (tool, arguments) in enumerate(planned, 1)}


def reads(*uris: str) -> dict[str, Step]:
    def step(uri: str) -> Step:
        return lambda surface: surface.client.read_resource(uri)

    return {f"resources/read {uri}": step(uri) for uri in uris}


def prompts(*planned: tuple[str, dict[str, str]]) -> dict[str, Step]:
    def step(name: str, arguments: dict[str, str]) -> Step:
        return lambda surface: surface.client.get_prompt(name, arguments)

    return {f"prompts/get {name} ({index})": step(name, arguments) for index, (name, arguments) in enumerate(planned, 1)}


def completion(ref: types.PromptReference | types.ResourceTemplateReference, name: str, value: str) -> Step:
    return lambda surface: surface.client.complete(ref, {"name": name, "value": value})


LISTS: dict[str, Step] = {
    "tools/list": lambda surface: surface.client.list_tools(),
    "prompts/list": lambda surface: surface.client.list_prompts(),
    "resources/list": lambda surface: surface.client.list_resources(),
    "resources/templates/list": lambda surface: surface.client.list_resource_templates(),
}


async def progress(surface: Surface) -> Any:
    steps: list[Any] = []

    async def on_progress(done: float, total: float | None, message: str | None) -> None:
        steps.append([done, total, message])

    result = await surface.client.call_tool("trigger-long-running-operation", {"duration": 0.15, "steps": 3}, progress_callback=on_progress)
    return [steps, plain(result)]


async def asked_by(surface: Surface, tool: str, arguments: dict[str, Any]) -> Any:
    result = await surface.client.call_tool(tool, arguments)
    return [surface.take_asked(), plain(result)]


async def roots(surface: Surface) -> Any:
    await surface.client.session.send_roots_list_changed()
    return await surface.client.call_tool("get-roots-list", {})


async def subscribe(surface: Surface) -> Any:
    uri = "demo://resource/dynamic/text/1"
    await surface.client.set_logging_level("info")
    await surface.client.subscribe_resource(uri)
    log = await surface.next("notifications/message", "Received Subscribe")
    await surface.client.call_tool("toggle-subscriber-updates", {})
    updated = await surface.next("notifications/resources/updated", uri)
    await surface.client.call_tool("toggle-subscriber-updates", {})
    return [log, updated, plain(await surface.client.unsubscribe_resource(uri))]


async def cancel(surface: Surface, tool: str, arguments: dict[str, Any]) -> None:
    """Calls, and gives up when the first progress arrives."""
    with anyio.CancelScope() as scope:

        async def on_progress(_done: float, _total: float | None, _message: str | None) -> None:
            scope.cancel()

        await surface.client.call_tool(tool, arguments, progress_callback=on_progress)
    assert scope.cancelled_caught


async def cancel_legacy(surface: Surface) -> Any:
    await cancel(surface, "trigger-long-running-operation", {"duration": 20, "steps": 400})
    return await surface.client.send_ping()


async def cancel_modern(surface: Surface, key: str = "python") -> Any:
    await cancel(surface, "wait", {"key": f"{key} {id(surface)}"})
    return await surface.client.call_tool("was-cancelled", {"key": f"{key} {id(surface)}"})


async def listen(surface: Surface, uris: list[str]) -> Any:
    async with surface.client.listen(tools_list_changed=True, resource_subscriptions=uris) as subscription:
        await surface.client.call_tool("publish", {"uris": ["note://closed/1", "note://open/1"]})
        events = [repr(await anext(subscription)) for _ in range(2)]
        return [plain(subscription.honored), sorted(events)]


EVERYTHING: dict[str, Step] = {
    "initialize": handshake,
    "ping": lambda surface: surface.client.send_ping(),
    **LISTS,
    **calls(
        ("echo", {"message": 'with "quotes", ünïcödé, 𝕊'}),
        ("get-annotated-message", {"messageType": "success", "includeImage": True}),
        ("get-resource-links", {"count": 4}),
        ("get-resource-reference", {"resourceType": "Blob", "resourceId": 2}),
        ("get-structured-content", {"location": "Chicago"}),
        ("get-sum", {"a": 0.1, "b": 41.9}),
        ("get-tiny-image", {}),
        ("get-sum", {"a": "one", "b": 2}),
        ("no-such-tool", {}),
    ),
    **prompts(("simple-prompt", {}), ("args-prompt", {"city": "Zürich", "state": "ZH"}), ("no-such-prompt", {})),
    **reads("demo://resource/static/document/architecture.md", "demo://resource/dynamic/blob/2", "demo://no/such"),
    "completion/complete of a prompt argument": completion(types.PromptReference(name="completable-prompt"), "department", "S"),
    "completion/complete of a resource template": completion(
        types.ResourceTemplateReference(uri="demo://resource/dynamic/text/{resourceId}"), "resourceId", "12"
    ),
    "progress": progress,
    "sampling": lambda surface: asked_by(surface, "trigger-sampling-request", {"prompt": "Say something", "maxTokens": 12}),
    "elicitation": lambda surface: asked_by(surface, "trigger-elicitation-request", {}),
    "roots": roots,
    "logging and subscriptions": subscribe,
    "cancellation": cancel_legacy,
}

MODERN: dict[str, Step] = {
    "server/discover": handshake,
    **LISTS,
    **calls(
        ("echo", {"message": 'with "quotes", ünïcödé, 𝕊'}),
        ("weather", {"city": "Bern"}),
        ("fail", {}),
        ("echo", {"message": 1}),
        ("no-such-tool", {}),
        ("route", {"region": "eu-west", "shard": 42, "urgent": True}),
        ("route", {"region": " Zürich =?base64?"}),
    ),
    **prompts(("greet", {"language": "de"}), ("ask-date", {}), ("no-such-prompt", {})),
    **reads("note://open/1", "note://shared/anna", "note://no-such"),
    "completion/complete of a prompt argument": completion(types.PromptReference(name="greet"), "language", "e"),
    "input_required": lambda surface: asked_by(surface, "book", {"room": "A"}),
    "cancellation": cancel_modern,
    "subscriptions/listen": lambda surface: listen(surface, ["note://open/1"]),
}

TICKETS: dict[str, Step] = {
    "the handshake": handshake,
    **LISTS,
    **calls(("list_tickets", {}), ("get_ticket", {"id": "T-101"}), ("get_ticket", {"id": "T-0"}), ("no-such-tool", {})),
    **prompts(("summarize_ticket", {"id": "T-101"})),
    **reads("tickets://T-102"),
}

EVERYTHING_HIDDEN: dict[str, Step] = {
    **LISTS,
    "a hidden tool": lambda surface: surface.client.call_tool("get-sum", {"a": 1, "b": 2}),
    "a hidden prompt": lambda surface: surface.client.get_prompt("completable-prompt", {"department": "Sales", "name": "Eve"}),
    "a hidden document": lambda surface: surface.client.read_resource("demo://resource/static/document/architecture.md"),
    "a subscription to a hidden document": lambda surface: surface.client.subscribe_resource("demo://resource/static/document/architecture.md"),
    "completions of a hidden prompt": completion(types.PromptReference(name="completable-prompt"), "department", ""),
}

MODERN_HIDDEN: dict[str, Step] = {
    **LISTS,
    "a hidden tool": lambda surface: surface.client.call_tool("vault", {}),
    "a hidden prompt": lambda surface: surface.client.get_prompt("secret-plan", {"language": "de"}),
    "a hidden resource": lambda surface: surface.client.read_resource("note://closed/1"),
    "updates of a hidden resource": lambda surface: listen(surface, ["note://open/1", "note://closed/1"]),
    "a result that requires what bob is not asked": lambda surface: surface.client.call_tool("book", {"room": "A"}),
}

STEPS = {
    "everything": EVERYTHING,
    "modern": MODERN,
    "tickets": TICKETS,
    "everything, hidden": EVERYTHING_HIDDEN,
    "modern, hidden": MODERN_HIDDEN,
}


async def outcome_of(step: Step, surface: Surface) -> Any:
    try:
        return {"value": plain(await step(surface))}
    except MCPError as error:
        return {"error": {"type": type(error).__name__, "code": error.code, "message": error.message, "data": error.data}}
    except Exception as error:  # What else an SDK may throw is an outcome as well, and has to be the same both ways.
        return {"error": {"type": type(error).__name__, "code": None, "message": str(error), "data": None}}


async def transcribe(job: dict[str, Any]) -> dict[str, Any]:
    if "fresh" in job:
        programs.renew(job["fresh"])
    steps = programs.steps(job) if "calls" in job else STEPS[job["steps"]]
    async with connect(job) as surface:
        return {name: await outcome_of(step, surface) for name, step in steps.items()}


async def main() -> None:
    jobs = json.load(sys.stdin)
    json.dump({job["label"]: await transcribe(job) for job in jobs}, sys.stdout)


asyncio.run(main())
