"""Steps with a program, as data: what program-steps.ts calls a ProgramStep."""

import os
import shutil
from typing import Any

import anyio
from client import PATIENCE_SECONDS, Step, Surface, handshake, plain


def renew(fresh: dict[str, str]) -> None:
    """Makes the directory that the program works on what it is before the first step."""
    shutil.rmtree(fresh["directory"], ignore_errors=True)
    shutil.copytree(fresh["template"], fresh["directory"], symlinks=True)


def files_in(directory: str) -> dict[str, str]:
    paths = sorted(os.path.join(parent, name) for parent, _, names in os.walk(directory) for name in names)
    files = [path for path in paths if not os.path.islink(path)]
    return {os.path.relpath(path, directory): open(path, encoding="latin1", newline="").read() for path in files}


async def take(step: dict[str, Any], surface: Surface) -> Any:
    if "read" in step:
        return await surface.client.read_resource(step["read"])
    if "roots" in step:
        surface.roots = step["roots"]
        await surface.client.session.send_roots_list_changed()
    with anyio.move_on_after(PATIENCE_SECONDS):
        while True:
            result = plain(await surface.client.call_tool(step["tool"], step["args"]))
            if "untilText" not in step or result["content"][0]["text"] == step["untilText"]:
                break
            await anyio.sleep(0.02)
    return result


def steps(job: dict[str, Any]) -> dict[str, Step]:
    def of(step: dict[str, Any]) -> Step:
        return lambda surface: take(step, surface)

    async def files(_surface: Surface) -> Any:
        return files_in(job["fresh"]["directory"])

    return {
        "initialize": handshake,
        "tools/list": lambda surface: surface.client.list_tools(),
        **{step["name"]: of(step) for step in job["calls"]},
        "files afterwards": files,
    }
