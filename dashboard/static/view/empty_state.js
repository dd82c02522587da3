// @ts-check
// Owns what stands in the feed's place before anything has happened: what to do first.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { startAsCurl } from '../client/commands.js';
import { followedAgents } from '../state/selectors.js';
import { isPending } from '../state/ui.js';
import { agentTitle } from '../state/labels.js';
import { ADD_MENU } from './add_agent.js';
import { icon } from './icons.js';

/** @typedef {import('../page.js').Page} Page */

/** @param {Page} page */
export function emptyState({ state, ui, controls, base }) {
  const agents = followedAgents(state);
  if (agents.length === 0) return noAgents();
  const agent = agents.find(({ row }) => row?.connection === 'connected');
  const skill = agent?.row?.skills[0];
  if (!agent || !skill) return noneConnected();
  const words = { text: skill.examples[0] ?? skill.name, skillId: skill.id };
  const curl = startAsCurl(base, agent.name, words);
  return html`<div class="empty">
    <h3>Nothing has happened yet</h3>
    <p>Give an agent something to do. Every update shows up here, the newest on top.</p>
    <button
      class="primary"
      ?disabled=${isPending(ui, 'start', agent.name)}
      @click=${() => controls.start(agent.name, words)}
    >
      ${icon('play')}${agentTitle(agent, agent.name)}: “${words.text}”
    </button>
    <p class="or">or from a terminal</p>
    <div class="curl">
      <pre tabindex="0"><code>${curl}</code></pre>
      ${navigator.clipboard
        ? html`<button @click=${() => controls.copy(curl, 'curl')}>
            ${icon('copy')}${ui.copied === 'curl' ? 'Copied' : 'Copy'}
          </button>`
        : nothing}
    </div>
  </div>`;
}

const noAgents = () =>
  html`<div class="empty">
    <h3>No agents</h3>
    <p>The host follows none. Add one by its address, or in <code>courtside.toml</code>.</p>
    <button class="primary" popovertarget=${ADD_MENU}>${icon('plus')}Add agent</button>
  </div>`;

const noneConnected = () =>
  html`<div class="empty">
    <h3>No agent is connected yet</h3>
    <p>Each card says why. The host keeps trying by itself.</p>
    <p>
      Are there none to try? <code>courtside --demo</code> starts four of them,
      <code>courtside http://localhost:9000</code> follows your own.
    </p>
  </div>`;
