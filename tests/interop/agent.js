/**
 * An agent made with the official JavaScript SDK, protocol 1.0, in all its bindings.
 *
 * `node agent.js PORT GRPC_PORT STEP_MS`; what it plays is in parts.js.
 */

import { randomUUID } from 'node:crypto';

import { AgentCard, Message, Task, TaskArtifactUpdateEvent, TaskStatusUpdateEvent } from '@a2a-js/sdk';
import { AgentEvent, DefaultRequestHandler, InMemoryTaskStore } from '@a2a-js/sdk/server';
import { agentCardHandler, jsonRpcHandler, restHandler, UserBuilder } from '@a2a-js/sdk/server/express';
import { A2AService, grpcService } from '@a2a-js/sdk/server/grpc';
import express from 'express';

import { BINDINGS, cancel, play, serve, urlOf } from './parts.js';

const PROGRESS = 'https://a2a-protocol.org/extensions/task-progress/v1';

function cardOf(binding) {
  return AgentCard.fromJSON({
    name: 'Jess',
    description: 'Made with @a2a-js/sdk 1.3.0.',
    version: '1.0.0',
    supportedInterfaces: [
      { url: urlOf(binding), protocolBinding: BINDINGS[binding], protocolVersion: '1.0' },
    ],
    capabilities: { streaming: true },
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [{ id: 'parts', name: 'Parts', description: 'Plays parts.', tags: ['parts'] }],
  });
}

/** The words of parts.js as events of the SDK. */
function speaker(context, bus) {
  const ids = { taskId: context.taskId, contextId: context.contextId };
  const message = (text) => ({
    messageId: randomUUID(),
    role: 'ROLE_AGENT',
    parts: [{ text }],
    ...ids,
  });
  const status = (state, text) => ({
    state: `TASK_STATE_${state}`,
    timestamp: new Date().toISOString(),
    ...(text && { message: message(text) }),
  });
  let told = 0;
  const tell = (state) => (text) => {
    told += 1;
    const metadata = { [PROGRESS]: { aggregate: { progress: told, total: 10 } } };
    const update = { ...ids, status: status(state, text), metadata };
    bus.publish(AgentEvent.statusUpdate(TaskStatusUpdateEvent.fromJSON(update)));
  };
  return {
    task() {
      const history = [Message.toJSON(context.userMessage)];
      const task = { id: ids.taskId, contextId: ids.contextId, status: status('SUBMITTED'), history };
      bus.publish(AgentEvent.task(Task.fromJSON(task)));
    },
    hello: (text) => bus.publish(AgentEvent.message(Message.fromJSON({ ...message(text), taskId: '' }))),
    working: tell('WORKING'),
    ask: tell('INPUT_REQUIRED'),
    completed: tell('COMPLETED'),
    failed: tell('FAILED'),
    cancelled: tell('CANCELED'),
    chunk(text, { append = false, last }) {
      const artifact = { artifactId: 'answer', name: 'answer', parts: [{ text }] };
      const update = { ...ids, artifact, append, lastChunk: last };
      bus.publish(AgentEvent.artifactUpdate(TaskArtifactUpdateEvent.fromJSON(update)));
    },
  };
}

const executor = {
  async execute(context, bus) {
    const say = speaker(context, bus);
    // This SDK wants a task first, also where one goes on.
    if (context.task) bus.publish(AgentEvent.task(context.task));
    const text = context.userMessage.parts[0].content.value;
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
