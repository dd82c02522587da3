// @ts-check
// The session in the top bar: a mark for read-only access, Sign out, and the link to sign
// in after the session has ended.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */

/** @param {Page} page */
export function sessionControls({ session }) {
  if (!session.can_sign_out) return nothing;
  return html`${session.is_reader
      ? html`<span class="role" title="Your token allows reading, not commands.">Read only</span>`
      : nothing}
    <button class="quiet" @click=${session.signOut}>Sign out</button>`;
}

export const signInAgain = () =>
  html`<span class="link" data-tone="lost">
    ${icon('broken')}
    <b>Your session has ended</b>
    <a href="login?then=${encodeURIComponent(location.search)}">Sign in</a>
  </span>`;
