// @ts-check
// Owns the line above the feed and the tasks: which agents, which task, paused or not.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { followedAgents, isFiltering } from '../state/selectors.js';
import { agentTitle, shortId } from '../state/labels.js';
import { icon } from './icons.js';
import { tabs } from './tabs.js';

/** @typedef {import('../page.js').Page} Page */

/** @param {Page} page */
export const filterBar = (page) =>
  guard([page.stamp, page.state.roster], () => bar(page));

/** @param {Page} page */
function bar({ state, ui, controls }) {
  const { filter } = ui;
  return html`<div class="filters">
    ${tabs({ ui, controls })}
    <div class="chips" role="group" aria-label="Show">
      <button
        class="chip"
        aria-pressed=${!isFiltering(filter)}
        @click=${controls.showAll}
      >
        All
      </button>
      ${repeat(
        chosen(state, filter),
        (agent) => agent.name,
        (agent) =>
          html`<button
            class="chip"
            aria-pressed=${filter.agents.has(agent.name)}
            @click=${() => controls.toggleAgent(agent.name)}
          >
            <i class="swatch" data-hue=${agent.index % 8}></i>
            <span>${agentTitle(agent, agent.name)}</span>
          </button>`,
      )}
      ${filter.failed ? chip('failed', controls.toggleFailed) : nothing}
      ${filter.task
        ? chip(`task ${shortId(filter.task)}`, () => controls.showTask(null))
        : nothing}
    </div>
    ${filter.tab === 'tasks'
      ? html`<label class="check">
          <input type="checkbox" .checked=${filter.pending} @change=${controls.togglePending} />
          Hide completed
        </label>`
      : nothing}
    ${filter.tab === 'feed'
      ? html`<button
          class="pause"
          aria-pressed=${ui.paused}
          @click=${controls.togglePause}
        >
          ${icon(ui.paused ? 'play' : 'pause')}${ui.paused ? 'Resume' : 'Pause'}
        </button>`
      : nothing}
  </div>`;
}

/**
 * The agents to choose from: one that was removed only while it is chosen, from a link.
 * @param {import('../state/types.d.ts').State} state @param {import('../state/ui.js').Ui['filter']} filter
 */
const chosen = (state, filter) => {
  const followed = new Set(followedAgents(state));
  return [...state.agents.values()].filter(
    (agent) => followed.has(agent) || filter.agents.has(agent.name),
  );
};

/** A filter that is on and can be taken off. @param {string} text @param {() => void} off */
const chip = (text, off) =>
  html`<button class="chip" aria-pressed="true" @click=${off}>
    ${text}${icon('close')}
  </button>`;
