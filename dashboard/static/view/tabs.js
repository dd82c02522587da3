// @ts-check
// The tabs: feed, tasks, timeline, history. They are links, so each view has a URL and the
// browser's Back works.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { TABS, writeFilter } from '../state/ui.js';
/** @import { Page } from '../page.js' */

const NAMES = { feed: 'Feed', tasks: 'Tasks', timeline: 'Timeline', history: 'History' };

/** @param {Page} page */
export const tabs = ({ ui, controls }) =>
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
            controls.showTab(tab);
          }}
          >${NAMES[tab]}</a
        >`,
    )}
  </nav>`;
