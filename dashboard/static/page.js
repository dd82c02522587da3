// @ts-check
// Owns the page as a whole: which parts it has and in which order. Each part is a file
// in view/; main.js renders what comes out of here, once per animation frame.

import { html, nothing } from './vendor/lit-html/lit-html.js';
import { guard } from './vendor/lit-html/directives/guard.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { isFiltering } from './state/selectors.js';
import { MAX_CARDS, arrange } from './state/ui.js';
import { agentCard } from './view/agent_card.js';
import { drawers } from './view/task_drawer.js';
import { emptyState } from './view/empty_state.js';
import { feedList } from './view/feed_list.js';
import { filterBar } from './view/filter_bar.js';
import { history } from './view/history.js';
import { icon } from './view/icons.js';
import { needsYou } from './view/waiting_tasks.js';
import { taskTable } from './view/task_table.js';
import { timeline } from './timeline/view.js';

export { topBar } from './view/top_bar.js';
export { openScreen } from './view/recording.js';

/**
 * Everything that a view may look at, and the controls it hands to its buttons.
 * @typedef {object} Page
 * @property {import('./state/types.d.ts').State} state
 * @property {import('./state/ui.js').Ui} ui
 * @property {import('./input/controls.js').Controls} controls
 * @property {import('./timeline/viewport.js').Travel} travel the timeline
 * @property {import('./client/history_search.js').Past} past the search of the whole log
 * @property {import('./client/task_details.js').Dossiers} dossiers the tasks in the drawer
 * @property {ReturnType<typeof import('./client/session.js').createSession>} session
 * @property {number} stamp grows with every change that is not the feed's
 * @property {boolean} full the cards move in this frame, which is work enough
 * @property {number} now_ms the browser's clock
 * @property {number} host_now_ms the host's clock, for ages of events
 * @property {string} base the page's own address
 */

/** @param {Page} page */
export function main(page) {
  const { state, ui } = page;
  const empty = state.rows.every((row) => row.kind === 'agent');
  return html`
    ${guard([page.stamp, ui.cards.head, state.epoch], () => overview(page))}
    <section class="feed" aria-label="Feed" data-frozen=${state.link.phase}>
      ${filterBar(page)}
      ${empty && ui.filter.tab === 'feed' && !state.has_older && !isFiltering(ui.filter)
        ? emptyState(page)
        : nothing}
      ${SHOWS[ui.filter.tab](page)}
    </section>
    ${drawers(page)}
  `;
}

/** What there is now, above the feed. @param {Page} page */
function overview(page) {
  const { state, ui } = page;
  const agents = arrange(ui, state, page.host_now_ms, isHeld);
  return html`
    ${state.fault === null ? nothing : faultNotice(state.fault)} ${needsYou(page)}
    <section
      class="agents"
      aria-label="Agents"
      data-frozen=${state.link.phase}
      ?data-many=${agents.length > MAX_CARDS}
    >
      ${repeat(agents, (agent) => agent.name, (agent) => agentCard(page, agent))}
    </section>
  `;
}

/** @param {string} cause */
const faultNotice = (cause) =>
  html`<p class="notice" role="alert">
    ${icon('warning')}
    <span>
      <b>The host's log fails.</b> What is new waits, and comes by itself once the log
      works again: ${cause}
    </span>
  </p>`;

/** Somebody points at one of the agents, or is in its menu. */
const isHeld = () => document.querySelector('.agents:is(:hover, :focus-within)') !== null;

const SHOWS = { feed: feedList, tasks: taskTable, timeline, history };
