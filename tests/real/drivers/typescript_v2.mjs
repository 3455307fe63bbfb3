// The TypeScript SDK, version 2, which finds out the era by itself.
// Arguments: `stdio` and a command line, or `http` and a URL. One line of JSON for each thing seen.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const say = (what, seen) => console.log(JSON.stringify({ what, seen }));
const [way, ...target] = process.argv.slice(2);
const transport =
  way === 'stdio'
    ? new StdioClientTransport({ command: target[0], args: target.slice(1), env: process.env, stderr: 'ignore' })
    : new StreamableHTTPClientTransport(new URL(target[0]));

const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };
const client = new Client(
  { name: 'typescript-v2', version: '1' },
  { capabilities, versionNegotiation: { mode: 'auto' } },
);
client.setRequestHandler('sampling/createMessage', async (request) => ({
  model: 'none',
  role: 'assistant',
  content: { type: 'text', text: `sampled ${request.params.messages.length}` },
}));
client.setRequestHandler('elicitation/create', async (request) => {
  say('asked', request.params.message);
  return { action: 'accept', content: { name: 'rig', check: true, integer: 3 } };
});
client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///rig', name: 'rig' }] }));

await client.connect(transport);
say('version', client.getNegotiatedProtocolVersion());

const text = (result) => result.content.map((part) => part.text ?? '').join('\n');
const call = async (name, args = {}, options = undefined) =>
  text(await client.callTool({ name, arguments: args }, options));
const own = (tool) => `everything__${tool}`;

const tools = await client.listTools();
say('tools', tools.tools.map((tool) => tool.name).sort());
if (tools.tools.some((tool) => tool.name === own('get-sum'))) {
  say('sum', await call(own('get-sum'), { a: 2, b: 3 }));
  say('sampling', await call(own('trigger-sampling-request'), { prompt: 'say something', maxTokens: 9 }));
  say('elicitation', await call(own('trigger-elicitation-request')));
  const steps = [];
  const onprogress = (one) => steps.push(one.progress);
  await call(own('trigger-long-running-operation'), { duration: 0.3, steps: 3 }, { onprogress });
  say('progress', steps);
  const given = new AbortController();
  const long = call(own('trigger-long-running-operation'), { duration: 60, steps: 2 }, { signal: given.signal });
  given.abort('enough');
  say('cancelled', await long.then(() => 'answered', () => 'gone'));
  const prompts = await client.listPrompts();
  say('prompts', prompts.prompts.map((prompt) => prompt.name).sort());
  const completed = await client.complete({
    ref: { type: 'ref/prompt', name: own('completable-prompt') },
    argument: { name: 'department', value: 'E' },
  });
  say('completion', completed.completion.values);
}
await client.close();
process.exit(0);
