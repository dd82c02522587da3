// @ts-check
// Owns what the top bar says of the session: that it may only read, the way out, and the
// way back in when it has ended.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { icon } from './icons.js';

/** @typedef {import('../page.js').Page} Page */

const WHY = 'You signed in with a token that may read, not give commands.';

/** @param {Page} page */
export function sessionControls({ session }) {
  if (!session.canEnd) return nothing;
  return html`${session.isReader
      ? html`<span class="role" title=${WHY}>Read only</span>`
      : nothing}
    <button class="quiet" @click=${session.end}>Sign out</button>`;
}

export const signInAgain = () =>
  html`<span class="link" data-tone="lost">
    ${icon('broken')}
    <b>Your session has ended</b>
    <a href="login?then=${encodeURIComponent(location.search)}">Sign in</a>
  </span>`;
