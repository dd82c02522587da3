/**
 * An agent made with the JavaScript SDK's 0.3 line, protocol 0.3, in all its bindings.
 *
 * `node agent_0_3.js PORT GRPC_PORT STEP_MS`; what it plays is in parts.js.
 */

import { randomUUID } from 'node:crypto';

import { DefaultRequestHandler, InMemoryTaskStore } from 'a2a-js-0.3/server';
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from 'a2a-js-0.3/server/express';
import { A2AService, grpcService } from 'a2a-js-0.3/server/grpc';
import express from 'express';

import { BINDINGS, cancel, play, serve, urlOf } from './parts.js';

function cardOf(binding) {
  return {
    name: 'Jess the elder',
    description: 'Made with @a2a-js/sdk 0.3.14.',
    version: '1.0.0',
    protocolVersion: '0.3.0',
    url: urlOf(binding),
    preferredTransport: BINDINGS[binding],
    capabilities: { streaming: true },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [{ id: 'parts', name: 'Parts', description: 'Plays parts.', tags: ['parts'] }],
  };
}

/** The words of parts.js as events of the SDK. */
function speaker(context, bus) {
  const ids = { taskId: context.taskId, contextId: context.contextId };
  const message = (text) => ({
    kind: 'message',
    messageId: randomUUID(),
    role: 'agent',
    parts: [{ kind: 'text', text }],
    ...ids,
  });
  const status = (state, text) => ({
    state,
    timestamp: new Date().toISOString(),
    ...(text && { message: message(text) }),
  });
  const tell = (state, final) => (text) =>
    bus.publish({ kind: 'status-update', ...ids, status: status(state, text), final });
  return {
    task: () =>
      bus.publish({
        kind: 'task',
        id: ids.taskId,
        contextId: ids.contextId,
        status: status('submitted'),
        history: [context.userMessage],
      }),
    hello: (text) => bus.publish({ ...message(text), taskId: undefined }),
    working: tell('working', false),
    ask: tell('input-required', true),
    completed: tell('completed', true),
    failed: tell('failed', true),
    cancelled: tell('canceled', true),
    chunk(text, { append = false, last }) {
      const artifact = { artifactId: 'answer', name: 'answer', parts: [{ kind: 'text', text }] };
      bus.publish({ kind: 'artifact-update', ...ids, artifact, append, lastChunk: last });
    },
  };
}

const executor = {
  async execute(context, bus) {
    const say = speaker(context, bus);
    const text = context.userMessage.parts[0].text;
    await play({ taskId: context.taskId, isReply: Boolean(context.task), text, say });
    bus.finished();
  },
  async cancelTask(taskId) {
    cancel(taskId);
  },
};

/** An agent of its own for each binding, with tasks of its own. */
function optionsOf(binding) {
  const requestHandler = new DefaultRequestHandler(cardOf(binding), new InMemoryTaskStore(), executor);
  return { requestHandler, userBuilder: UserBuilder.noAuthentication };
}

const app = express();
for (const binding of Object.keys(BINDINGS)) {
  const agentCardProvider = async () => cardOf(binding);
  app.use(`/${binding}/.well-known/agent-card.json`, agentCardHandler({ agentCardProvider }));
}
app.use('/jsonrpc', jsonRpcHandler(optionsOf('jsonrpc')));
app.use('/rest', restHandler(optionsOf('rest')));
await serve(app, A2AService, grpcService(optionsOf('grpc')));
