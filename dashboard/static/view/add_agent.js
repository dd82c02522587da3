// @ts-check
// Owns the form that adds an agent by its address, in a menu of the top bar.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { addAsCurl } from '../client/commands.js';
import { isPending } from '../state/ui.js';
import { icon } from './icons.js';
import { closeMenu, curls, errorAt } from './components.js';

/** @typedef {import('../page.js').Page} Page */

/** Any button with this popovertarget opens the form. */
export const ADD_MENU = 'add-agent';

export const addButton = () =>
  html`<button class="add" popovertarget=${ADD_MENU}>
    ${icon('plus')}<span>Add agent</span>
  </button>`;

/** @param {Page} page */
export function addMenu(page) {
  const { ui, controls } = page;
  return html`<div
    popover
    class="menu form"
    id=${ADD_MENU}
    role="dialog"
    aria-label="Add an agent"
    @toggle=${(/** @type {ToggleEvent} */ event) =>
      controls.opened(ADD_MENU, event.newState === 'open')}
  >
    ${ui.opened.has(ADD_MENU) ? form(page) : nothing}
  </div>`;
}

/** @param {Page} page */
function form(page) {
  const adding = isPending(page.ui, 'add', '');

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const given = [...new FormData(form)].filter(([, value]) => value !== '');
    if (await page.controls.add(Object.fromEntries(given))) closeMenu(form);
  }

  return html`<form @submit=${submit}>
      <label for="add-url">Address of an A2A agent</label>
      <input
        id="add-url"
        name="url"
        type="url"
        required
        autofocus
        autocomplete="off"
        placeholder="https://agents.example.org/travel"
      />
      <label for="add-name">Name <span>if not the one in its address</span></label>
      <input
        id="add-name"
        name="name"
        autocomplete="off"
        autocapitalize="off"
        maxlength="32"
        pattern="[a-z][a-z0-9\\-]*"
        title="Small letters, digits and dashes"
      />
      <label for="add-card">Card <span>if not at the usual place</span></label>
      <input
        id="add-card"
        name="card"
        autocomplete="off"
        placeholder="/.well-known/agent-card.json"
      />
      <div class="last">
        <p>Credentials go into <code>courtside.toml</code>, not through here.</p>
        <button class="primary" ?disabled=${adding}>${adding ? 'Adding…' : 'Add'}</button>
      </div>
    </form>
    ${curls(page, { Add: addAsCurl(page.base) })} ${errorAt(page, 'add:')}`;
}
