"""The Python SDK, version 2, in the mode that its third argument names, over server-everything.

Arguments: `stdio` or `http`, the mode (`auto` or `legacy`), then a command line or a URL. One line of JSON for each thing seen.
"""

import asyncio
import json
import sys

import mcp.types as types
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client


def say(what, seen):
    print(json.dumps({"what": what, "seen": seen}), flush=True)


async def sample(context, params):
    content = types.TextContent(type="text", text=f"sampled {len(params.messages)}")
    return types.CreateMessageResult(role="assistant", content=content, model="none", stop_reason="endTurn")


async def elicit(context, params):
    say("asked", params.message)
    return types.ElicitResult(action="accept", content={"name": "rig", "check": True, "integer": 3})


def text(result):
    return "\n".join(getattr(part, "text", "") for part in result.content)


async def main():
    way, mode, *target = sys.argv[1:]
    server = target[0]
    if way == "stdio":
        server = stdio_client(StdioServerParameters(command=target[0], args=target[1:]))
    client = Client(server, mode=mode, sampling_callback=sample, elicitation_callback=elicit)
    async with client:
        say("version", client.protocol_version)
        tools = await client.list_tools()
        names = sorted(tool.name for tool in tools.tools)
        say("tools", names)
        if "everything__get-sum" not in names:
            return
        say("sum", text(await client.call_tool("everything__get-sum", {"a": 2, "b": 3})))
        asked = {"prompt": "say something", "maxTokens": 9}
        say("sampling", text(await client.call_tool("everything__trigger-sampling-request", asked)))
        say("elicitation", text(await client.call_tool("everything__trigger-elicitation-request", {})))
        steps = []

        async def progress(done, total, message):
            steps.append(done)

        await client.call_tool(
            "everything__trigger-long-running-operation", {"duration": 0.3, "steps": 3}, progress_callback=progress
        )
        say("progress", steps)
        prompts = await client.list_prompts()
        say("prompts", sorted(prompt.name for prompt in prompts.prompts))
        reference = types.PromptReference(type="ref/prompt", name="everything__completable-prompt")
        completed = await client.complete(reference, {"name": "department", "value": "E"})
        say("completion", completed.completion.values)


asyncio.run(main())
