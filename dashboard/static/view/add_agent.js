// @ts-check
// The form that adds an agent by its URL, in a menu of the top bar.

import { html } from '../vendor/lit-html/lit-html.js';
import { addAgentAsCurl } from '../client/curl.js';
import { isPending } from '../state/ui.js';
import { closeMenu, curlList, errorAt, formOf, menu } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */

/** A button with this popovertarget opens the form. */
export const ADD_MENU = 'add-agent';

export const addAgentButton = () =>
  html`<button class="add" popovertarget=${ADD_MENU}>
    ${icon('plus')}<span>Add agent</span>
  </button>`;

/** @param {Page} page */
export const addAgentMenu = (page) =>
  menu(page, 'form', ADD_MENU, 'Add an agent', () => form(page));

/** @param {Page} page */
function form(page) {
  const is_adding = isPending(page.ui, 'add', '');

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = formOf(event);
    const fields = [...new FormData(form)].filter(([, value]) => value !== '');
    if (await page.controls.add(Object.fromEntries(fields))) closeMenu(form);
  }

  return html`<form @submit=${submit}>
      <label for="add-url">URL of an A2A agent</label>
      <input
        id="add-url"
        name="url"
        type="url"
        required
        autofocus
        autocomplete="off"
        placeholder="https://agents.example.org/travel"
      />
      <label for="add-name">Name <span>optional, default: from the URL</span></label>
      <input
        id="add-name"
        name="name"
        autocomplete="off"
        autocapitalize="off"
        maxlength="32"
        pattern="[a-z][a-z0-9\\-]*"
        title="Lowercase letters, digits and dashes"
      />
      <label for="add-card">Card <span>optional, if it is not at the well-known path</span></label>
      <input
        id="add-card"
        name="card"
        autocomplete="off"
        placeholder="/.well-known/agent-card.json"
      />
      <div class="last">
        <p>Put credentials into <code>courtside.toml</code>, not into this form.</p>
        <button class="primary" ?disabled=${is_adding}>${is_adding ? 'Adding…' : 'Add'}</button>
      </div>
    </form>
    ${curlList(page, { Add: addAgentAsCurl(page.base) })} ${errorAt(page, 'add:')}`;
}
