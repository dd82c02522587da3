// @ts-check
// Owns the top bar: the browser's own connection to the host, and the totals.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { eventRate, lastMinute, totals } from '../state/selectors.js';
import { clockTime, perSecond, plural, seconds } from '../state/format.js';
import { addButton, addMenu } from './add_agent.js';
import { icon } from './icons.js';
import { banner } from './recording.js';
import { sessionControls, signInAgain } from './session.js';
import { keysHelp, severalMenu } from './ask_several.js';

/** @typedef {import('../page.js').Page} Page */

/** @param {Page} page */
export function topBar(page) {
  const { state, ui } = page;
  const { link } = state;
  if (link.phase === 'recording') return banner(page);
  // Nothing to connect to: a file is to be opened.
  if (ui.filter.open) return nothing;
  const sum = totals(state);
  return guard([page.stamp, state.roster, ...Object.values(sum)], () => live(page, sum));
}

/** @param {Page} page @param {ReturnType<typeof totals>} sum */
function live(page, sum) {
  const { state, ui, controls, now_ms } = page;
  const { link } = state;
  const known = state.epoch !== null;
  return html`
    ${link.phase === 'live'
      ? html`<span class="link" data-tone="live">${icon('dot')}Live</span>`
      : connecting(page)}
    ${known
      ? html`<ul class="totals" data-frozen=${link.phase}>
          <li title="agents that the host reaches">
            <b>${sum.connected}/${sum.agents}</b> agents
          </li>
          <li><b>${sum.running}</b> running</li>
          ${sum.waiting > 0
            ? html`<li data-tone="input-required"><b>${sum.waiting}</b> waiting</li>`
            : nothing}
          ${sum.failed > 0
            ? html`<li>
                <button
                  class="quiet"
                  data-tone="error"
                  aria-pressed=${ui.filter.failed}
                  @click=${controls.toggleFailed}
                >
                  <b>${sum.failed}</b> failed
                </button>
              </li>`
            : nothing}
          <li class="rate" title="events per second, over five seconds">
            <b>${perSecond(eventRate(state, now_ms))}</b> ev/s
          </li>
        </ul>`
      : nothing}
    ${known && link.phase === 'live'
      ? guard([Math.floor(now_ms / 1000), state.epoch], () => activity(page))
      : nothing}
    ${known ? html`${severalMenu(page)} ${addButton()} ${addMenu(page)} ${keysHelp(page)}` : nothing}
    ${sessionControls(page)}
  `;
}

/** The last minute as a line: what "42 ev/s" looked like until now. @param {Page} page */
function activity({ state, now_ms }) {
  const counts = lastMinute(state, now_ms);
  const most = Math.max(8, ...counts);
  const points = counts.map((count, x) => `${x},${(20 - (count / most) * 19).toFixed(1)}`);
  return html`<svg
    class="activity"
    viewBox="0 0 58 20"
    preserveAspectRatio="none"
    aria-hidden="true"
  >
    <path d="M0,20L${points.join('L')}L58,20"></path>
  </svg>`;
}

/** Not live: which attempt, when the next one comes, since when. @param {Page} page */
function connecting({ state, controls, session, now_ms }) {
  const { link } = state;
  if (session.hasEnded) return signInAgain();
  if (link.phase === 'connecting' && link.attempt === 0) {
    return html`<span class="link" data-tone="connecting">
      ${icon('dashed')}Connecting…
    </span>`;
  }
  const wait_s = Math.ceil(((link.retry_at_ms ?? now_ms) - now_ms) / 1000);
  const from =
    link.lost_at_ms !== null && state.epoch !== null
      ? clockTime(link.lost_at_ms - link.skew_ms)
      : null;
  return html`<span class="link" data-tone="lost">
    ${icon('broken')}
    <span class="wide">
      <b>${state.epoch === null ? 'The host does not answer' : 'Reconnecting'}</b>
      · ${plural(link.attempt, 'attempt')},
      ${link.retry_at_ms === null ? 'trying…' : `next in ${seconds(wait_s)}`}
      ${from === null
        ? nothing
        : html`<span class="from">· what you see is from ${from}</span>`}
    </span>
    <button @click=${controls.reconnect} ?disabled=${link.retry_at_ms === null}>
      Retry now
    </button>
  </span>`;
}
