// @ts-check
// The page as a whole: its parts and their order. main.js renders it.

import { html, nothing } from './vendor/lit-html/lit-html.js';
import { guard } from './vendor/lit-html/directives/guard.js';
import { repeat } from './vendor/lit-html/directives/repeat.js';
import { plural } from './state/format.js';
import { isFiltering } from './state/selectors.js';
import { MAX_CARDS, sortAgents } from './state/ui.js';
import { timelineView } from './timeline/view.js';
import { agentCard } from './view/agent_card.js';
import { emptyState } from './view/empty_state.js';
import { feedList } from './view/feed_list.js';
import { filterBar } from './view/filter_bar.js';
import { historyView } from './view/history.js';
import { icon } from './view/icons.js';
import { taskDrawers } from './view/task_drawer.js';
import { taskTable } from './view/task_table.js';
import { waitingTasks } from './view/waiting_tasks.js';

export { openScreen } from './view/recording.js';
export { topBar } from './view/top_bar.js';

/**
 * All that a view may read, and the controls for its buttons.
 * @typedef {object} Page
 * @property {import('./state/types.d.ts').State} state
 * @property {import('./state/ui.js').Ui} ui
 * @property {import('./input/controls.js').Controls} controls
 * @property {import('./timeline/timeline.js').Timeline} timeline
 * @property {import('./client/history_search.js').HistorySearch} search
 * @property {import('./client/task_details.js').Details} details the tasks in the drawers
 * @property {ReturnType<typeof import('./client/session.js').createSession>} session
 * @property {number} revision counts the changes that did not come from the feed
 * @property {boolean} is_frame_full true if the cards move in this frame
 * @property {number} now_ms the browser's clock
 * @property {number} host_now_ms the host's clock, for the ages of events
 * @property {string} base the page's URL
 */

const VIEWS = { feed: feedList, tasks: taskTable, timeline: timelineView, history: historyView };

/** @param {Page} page */
export function mainView(page) {
  const { state, ui } = page;
  const is_empty = state.rows.every((row) => row.kind === 'agent') && !state.has_older;
  return html`
    ${guard([page.revision, ui.cards.head, state.epoch], () => overview(page))}
    <section class="feed" aria-label="Feed" data-frozen=${state.link.phase}>
      ${filterBar(page)}
      ${is_empty && ui.filter.tab === 'feed' && !isFiltering(ui.filter) ? emptyState(page) : nothing}
      ${state.tasks_left_out === 0 || ui.filter.tab === 'history' ? nothing : leftOutNotice(page)}
      ${VIEWS[ui.filter.tab](page)}
    </section>
    ${taskDrawers(page)}
  `;
}

/** The part above the tabs: problems, questions and agents. @param {Page} page */
function overview(page) {
  const { state, ui } = page;
  const agents = sortAgents(ui, state, page.host_now_ms, isPointedAt);
  return html`
    ${state.fault === null ? nothing : faultNotice(state.fault)} ${waitingTasks(page)}
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
      <b>The host cannot write its log.</b> New events wait, and appear when it can again:
      ${cause}
    </span>
  </p>`;

/** @param {Page} page */
const leftOutNotice = ({ state, controls }) =>
  html`<p class="notice" role="status">
    ${icon('gap')}
    <span>Not on this page: ${plural(state.tasks_left_out, 'older task')}.</span>
    <button @click=${() => controls.navigate({ tab: 'history' })}>Search the history</button>
  </p>`;

/** Return whether the user points at an agent or uses its menu. */
const isPointedAt = () => document.querySelector('.agents:is(:hover, :focus-within)') !== null;
