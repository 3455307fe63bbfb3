// The TypeScript SDK, version 1, uses everything of server-everything through the gateway.
// Arguments: `stdio` and a command line, or `http` and a URL. One line of JSON for each thing seen.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import * as types from '@modelcontextprotocol/sdk/types.js';

const say = (what, seen) => console.log(JSON.stringify({ what, seen }));
const [way, ...target] = process.argv.slice(2);
const transport =
  way === 'stdio'
    ? new StdioClientTransport({ command: target[0], args: target.slice(1), env: process.env, stderr: 'ignore' })
    : new StreamableHTTPClientTransport(new URL(target[0]));

const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
const client = new Client({ name: 'typescript-v1', version: '1' }, { capabilities });
client.setRequestHandler(types.CreateMessageRequestSchema, async (request) => ({
  model: 'none',
  role: 'assistant',
  content: { type: 'text', text: `sampled ${request.params.messages.length}` },
}));
client.setRequestHandler(types.ElicitRequestSchema, async (request) => {
  say('asked', request.params.message);
  return { action: 'accept', content: { name: 'rig', check: true, integer: 3 } };
});
client.setRequestHandler(types.ListRootsRequestSchema, async () => ({ roots: [{ uri: 'file:///rig', name: 'rig' }] }));

const updated = new Promise((resolve) =>
  client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, (one) => resolve(one.params.uri)),
);
await client.connect(transport);
say('version', transport.protocolVersion ?? null);

const name = (own) => `everything__${own}`;
const text = (result) => result.content.map((part) => part.text ?? '').join('\n');
const call = async (own, args = {}, options = undefined) =>
  text(await client.callTool({ name: name(own), arguments: args }, undefined, options));

const tools = await client.listTools();
say('tools', tools.tools.map((tool) => tool.name).sort());
say('sum', await call('get-sum', { a: 2, b: 3 }));
say('sampling', await call('trigger-sampling-request', { prompt: 'say something', maxTokens: 9 }));
say('elicitation', await call('trigger-elicitation-request'));
const steps = [];
await call('trigger-long-running-operation', { duration: 0.3, steps: 3 }, { onprogress: (one) => steps.push(one.progress) });
say('progress', steps);

const given = new AbortController();
const long = call('trigger-long-running-operation', { duration: 60, steps: 2 }, { signal: given.signal });
given.abort('enough');
say('cancelled', await long.then(() => 'answered', () => 'gone'));

const prompts = await client.listPrompts();
say('prompts', prompts.prompts.map((prompt) => prompt.name).sort());
const completed = await client.complete({
  ref: { type: 'ref/prompt', name: name('completable-prompt') },
  argument: { name: 'department', value: 'E' },
});
say('completion', completed.completion.values);
await client.setLoggingLevel('debug');
say('level', 'debug');

const uri = 'demo://resource/dynamic/text/1';
await client.subscribeResource({ uri });
await call('toggle-subscriber-updates');
say('updated', await updated);
await call('toggle-subscriber-updates');
await client.unsubscribeResource({ uri });

const stream = client.experimental.tasks.callToolStream(
  { name: name('simulate-research-query'), arguments: { topic: 'gateways' } },
  types.CallToolResultSchema,
  { task: { ttl: 60000 } },
);
const kinds = [];
for await (const message of stream) {
  if (!kinds.includes(message.type)) kinds.push(message.type);
  if (message.type === 'result') say('task', text(message.result).includes('gateways'));
  if (message.type === 'error') say('task', String(message.error));
}
say('task messages', kinds);
await client.close();
process.exit(0);
