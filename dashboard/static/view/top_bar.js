// @ts-check
// The top bar: the browser's connection to the host, totals, the menus for all agents, the
// list of keys, and the session.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { KEYS } from '../input/keys.js';
import { formatClock, formatRate, formatSeconds, plural } from '../state/format.js';
import { countTotals, getEventRate, listEventCounts } from '../state/selectors.js';
import { addAgentButton, addAgentMenu } from './add_agent.js';
import { askSeveral } from './ask_several.js';
import { menu } from './components.js';
import { icon } from './icons.js';
import { recordingBanner } from './recording.js';
/** @import { Page } from '../page.js' */

/** @param {Page} page */
export function topBar(page) {
  const { state, ui } = page;
  if (state.link.phase === 'recording') return recordingBanner(page);
  // No host: the user is about to open a file.
  if (ui.filter.open) return nothing;
  const totals = countTotals(state);
  return guard([page.revision, state.roster_version, ...Object.values(totals)], () => bar(page, totals));
}

/** @param {Page} page @param {ReturnType<typeof countTotals>} totals */
function bar(page, totals) {
  const { state, now_ms } = page;
  const is_live = state.link.phase === 'live';
  const link = is_live ? html`<span class="link" data-tone="live">${icon('dot')}Live</span>` : linkStatus(page);
  if (state.epoch === null) return html`${link} ${sessionControls(page)}`;
  return html`
    ${link} ${totalsList(page, totals)}
    ${is_live ? guard([Math.floor(now_ms / 1000), state.epoch], () => activityChart(page)) : nothing}
    ${askSeveral(page)} ${addAgentButton()} ${addAgentMenu(page)} ${keysHelp(page)}
    ${sessionControls(page)}
  `;
}

/** @param {Page} page @param {ReturnType<typeof countTotals>} totals */
const totalsList = ({ state, ui, controls, now_ms }, { agents, connected, running, waiting, failed }) =>
  html`<ul class="totals" data-frozen=${state.link.phase}>
    <li title="connected agents"><b>${connected}/${agents}</b> agents</li>
    <li><b>${running}</b> running</li>
    ${waiting > 0 ? html`<li data-tone="input-required"><b>${waiting}</b> waiting</li>` : nothing}
    ${failed > 0
      ? html`<li>
          <button
            class="quiet"
            data-tone="error"
            aria-pressed=${ui.filter.failed}
            @click=${controls.toggleFailed}
          >
            <b>${failed}</b> failed
          </button>
        </li>`
      : nothing}
    <li class="rate" title="events per second, average of five seconds">
      <b>${formatRate(getEventRate(state, now_ms))}</b> ev/s
    </li>
  </ul>`;

/** A line chart of the events of the last minute. @param {Page} page */
function activityChart({ state, now_ms }) {
  const counts = listEventCounts(state, now_ms);
  const max = Math.max(8, ...counts);
  const points = counts.map((count, x) => `${x},${(20 - (count / max) * 19).toFixed(1)}`);
  return html`<svg
    class="activity"
    viewBox="0 0 58 20"
    preserveAspectRatio="none"
    aria-hidden="true"
  >
    <path d="M0,20L${points.join('L')}L58,20"></path>
  </svg>`;
}

/** What the page does to connect. @param {Page} page */
function linkStatus({ state, controls, session, now_ms }) {
  const { phase, attempt, retry_at_ms, lost_at_ms, skew_ms } = state.link;
  if (session.has_ended) return signInAgain();
  if (phase === 'connecting' && attempt === 0) {
    return html`<span class="link" data-tone="connecting">
      ${icon('dashed')}Connecting…
    </span>`;
  }
  const has_data = state.epoch !== null;
  const wait_s = Math.ceil(((retry_at_ms ?? now_ms) - now_ms) / 1000);
  return html`<span class="link" data-tone="lost">
    ${icon('broken')}
    <span class="wide">
      <b>${has_data ? 'Reconnecting' : 'The host does not answer'}</b>
      · ${plural(attempt, 'attempt')},
      ${retry_at_ms === null ? 'trying…' : `next in ${formatSeconds(wait_s)}`}
      ${has_data && lost_at_ms !== null
        ? html`<span class="from">· data from ${formatClock(lost_at_ms - skew_ms)}</span>`
        : nothing}
    </span>
    <button @click=${controls.reconnect} ?disabled=${retry_at_ms === null}>Retry now</button>
  </span>`;
}

/** @param {Page} page */
const keysHelp = (page) =>
  html`<button class="quiet help" popovertarget="keys" aria-label="Keys" title="Keys (?)">?</button>
    ${menu(
      page,
      'facts',
      'keys',
      'Keys',
      () => html`<dl>
        ${KEYS.map(([key, action]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${action}</dd></div>`)}
      </dl>`,
    )}`;

/** @param {Page} page */
function sessionControls({ session }) {
  if (!session.can_sign_out) return nothing;
  return html`${session.is_reader
      ? html`<span class="role" title="Your token allows reading, not commands.">Read only</span>`
      : nothing}
    <button class="quiet" @click=${session.signOut}>Sign out</button>`;
}

const signInAgain = () =>
  html`<span class="link" data-tone="lost">
    ${icon('broken')}
    <b>Your session has ended</b>
    <a href="login?then=${encodeURIComponent(location.search)}">Sign in</a>
  </span>`;
