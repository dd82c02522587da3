// @ts-check
// Owns the choice between the feed, the tasks, the timeline and the history. Links, so that each has
// an address, and back works.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { TABS, writeFilter } from '../state/ui.js';

/** @param {Pick<import('../page.js').Page, 'ui' | 'controls'>} page */
export const tabs = ({ ui, controls }) =>
  html`<nav class="tabs" aria-label="Views">
    ${TABS.map(
      (tab) =>
        html`<a
          href=${writeFilter({ ...ui.filter, tab }) || './'}
          aria-current=${ui.filter.tab === tab ? 'page' : nothing}
          @click=${(/** @type {MouseEvent} */ event) => {
            // With a modifier it is the browser's: a new tab or window.
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            controls.showTab(tab);
          }}
          >${NAMES[tab]}</a
        >`,
    )}
  </nav>`;

const NAMES = { feed: 'Feed', tasks: 'Tasks', timeline: 'Timeline', history: 'History' };
