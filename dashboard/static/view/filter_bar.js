// @ts-check
// The line above each view: tabs, filters, pause. The tabs are links, so each view has a URL
// and the browser's Back works.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { agentTitle, shortId } from '../state/labels.js';
import { isFiltering, listAgents } from '../state/selectors.js';
import { TABS, writeFilter } from '../state/ui.js';
import { swatch } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */

const NAMES = { feed: 'Feed', tasks: 'Tasks', timeline: 'Timeline', history: 'History' };

/** @param {Page} page */
export const filterBar = (page) =>
  guard([page.revision, page.state.roster_version], () => bar(page));

/** @param {Page} page */
function bar(page) {
  const { ui, controls } = page;
  const { filter } = ui;
  return html`<div class="filters">
    ${tabs(page)}
    <div class="chips" role="group" aria-label="Show">
      <button class="chip" aria-pressed=${!isFiltering(filter)} @click=${controls.showAll}>All</button>
      ${repeat(
        listChips(page),
        (agent) => agent.name,
        (agent) =>
          html`<button
            class="chip"
            aria-pressed=${filter.agents.has(agent.name)}
            @click=${() => controls.toggleAgent(agent.name)}
          >
            ${swatch(agent)}<span>${agentTitle(agent, agent.name)}</span>
          </button>`,
      )}
      ${filter.failed ? activeChip('failed', controls.toggleFailed) : nothing}
      ${filter.task
        ? activeChip(`task ${shortId(filter.task)}`, () => controls.navigate({ task: null }))
        : nothing}
    </div>
    ${filter.tab === 'tasks'
      ? html`<label class="check">
          <input type="checkbox" .checked=${filter.pending} @change=${controls.togglePending} />
          Hide completed
        </label>`
      : nothing}
    ${filter.tab === 'feed'
      ? html`<button class="pause" aria-pressed=${ui.paused} @click=${controls.togglePause}>
          ${icon(ui.paused ? 'play' : 'pause')}${ui.paused ? 'Resume' : 'Pause'}
        </button>`
      : nothing}
  </div>`;
}

/** List the followed agents, and removed ones that the filter (a link) names. @param {Page} page */
function listChips({ state, ui }) {
  const followed = new Set(listAgents(state));
  return [...state.agents.values()].filter(
    (agent) => followed.has(agent) || ui.filter.agents.has(agent.name),
  );
}

/** A filter that a click removes. @param {string} text @param {() => void} remove */
const activeChip = (text, remove) =>
  html`<button class="chip" aria-pressed="true" @click=${remove}>${text}${icon('close')}</button>`;

/** @param {Page} page */
const tabs = ({ ui, controls }) =>
  html`<nav class="tabs" aria-label="Views">
    ${TABS.map(
      (tab) =>
        html`<a
          href=${writeFilter({ ...ui.filter, tab }) || './'}
          aria-current=${ui.filter.tab === tab ? 'page' : nothing}
          @click=${(/** @type {MouseEvent} */ event) => {
            // The browser opens a new tab or window then.
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            controls.navigate({ tab });
          }}
          >${NAMES[tab]}</a
        >`,
    )}
  </nav>`;
