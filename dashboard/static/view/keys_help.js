// @ts-check
// The list of keyboard shortcuts, in a menu of the top bar.

import { html } from '../vendor/lit-html/lit-html.js';
import { KEYS } from '../input/keys.js';
import { menu } from './components.js';
/** @import { Page } from '../page.js' */

/** @param {Page} page */
export const keysHelp = (page) =>
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
