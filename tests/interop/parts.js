/**
 * What both JavaScript agents share: their command line, their servers and
 * the order of what they tell. agent.js and agent_0_3.js put it into their SDK's words.
 */

import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import { Server, ServerCredentials } from '@grpc/grpc-js';

export const ADDRESS = '127.0.0.1';
export const BINDINGS = { jsonrpc: 'JSONRPC', rest: 'HTTP+JSON', grpc: 'GRPC' };
export const QUESTION = 'Red or blue?';

const [port, grpcPort, stepMs] = process.argv.slice(2).map(Number);
const cancelled = new Set();

/** Where a binding is served: an address for gRPC, a URL for the two others. */
export function urlOf(binding) {
  return binding === 'grpc'
    ? `${ADDRESS}:${grpcPort}`
    : `http://${ADDRESS}:${port}/${binding}`;
}

/**
 * Plays the part that the message asks for. `say` is how the agent's SDK is spoken to:
 * `task()` opens the task, `working`, `ask`, `completed`, `failed` and `cancelled` tell
 * its state, `chunk` is a piece of its artifact, `hello` an answer without a task.
 */
export async function play({ taskId, isReply, text, say }) {
  if (isReply) {
    say.working('Thinking…');
    say.chunk(`You said ${text}.`, { last: true });
    return say.completed('Done.');
  }
  const part = text.split(' ')[0];
  if (part === 'hello') return say.hello('Hello yourself.');
  say.task();
  say.working('Looking…');
  await sleep(stepMs);
  if (part === 'ask') return say.ask(QUESTION);
  if (part === 'fail') return say.failed('It broke.');
  if (part === 'wait') return wait(taskId, say);
  say.working();
  await sleep(stepMs);
  say.working('Half way…');
  say.chunk('One, ', { last: false });
  await sleep(stepMs);
  say.chunk('two.', { append: true, last: true });
  await sleep(stepMs);
  say.completed('Done.');
}

export function cancel(taskId) {
  cancelled.add(taskId);
}

async function wait(taskId, say) {
  while (!cancelled.delete(taskId)) await sleep(stepMs / 5);
  say.cancelled('Stopped.');
}

/** Serves both HTTP bindings with `app`, gRPC with `service`, until SIGTERM. */
export async function serve(app, service, implementation) {
  const grpc = new Server();
  grpc.addService(service, implementation);
  await new Promise((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    const bound = (error) => (error ? reject(error) : resolve());
    grpc.bindAsync(urlOf('grpc'), credentials, bound);
  });
  const http = app.listen(port, ADDRESS);
  process.once('SIGTERM', () => {
    grpc.forceShutdown();
    http.closeAllConnections();
    http.close(() => process.exit(0));
  });
  await once(http, 'listening');
}
