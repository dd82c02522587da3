// @ts-check
// What the feed shows before the first event: what to do first.

import { html } from '../vendor/lit-html/lit-html.js';
import { sendAsCurl } from '../client/curl.js';
import { agentTitle } from '../state/labels.js';
import { listAgents } from '../state/selectors.js';
import { isPending } from '../state/ui.js';
import { ADD_MENU } from './add_agent.js';
import { curlView } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */

/** @param {Page} page */
export function emptyState(page) {
  const { state, ui, controls, base } = page;
  const agents = listAgents(state);
  if (agents.length === 0) return noAgents();
  const agent = agents.find(({ row }) => row?.connection === 'connected');
  const skill = agent?.row?.skills[0];
  if (!agent || !skill) return noneConnected();
  const prompt = { text: skill.examples[0] ?? skill.name, skillId: skill.id };
  return html`<div class="empty">
    <h3>No events yet</h3>
    <p>Start a task. Every update appears here, the newest first.</p>
    <button
      class="primary"
      ?disabled=${isPending(ui, 'start', agent.name)}
      @click=${() => controls.start(agent.name, prompt)}
    >
      ${icon('play')}${agentTitle(agent, agent.name)}: “${prompt.text}”
    </button>
    <p class="or">or from a terminal</p>
    ${curlView(page, 'Copy', sendAsCurl(base, agent.name, prompt))}
  </div>`;
}

const noAgents = () =>
  html`<div class="empty">
    <h3>No agents</h3>
    <p>The host follows no agents. Add one by its URL, or in <code>courtside.toml</code>.</p>
    <button class="primary" popovertarget=${ADD_MENU}>${icon('plus')}Add agent</button>
  </div>`;

const noneConnected = () =>
  html`<div class="empty">
    <h3>No agent is connected yet</h3>
    <p>Each card shows the cause. The host retries by itself.</p>
    <p>
      To try Courtside without agents of your own, run <code>courtside --demo</code>. It starts
      four. To follow your own agent, run <code>courtside http://localhost:9000</code>.
    </p>
  </div>`;
