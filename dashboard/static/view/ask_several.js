// @ts-check
// Owns the menu that asks several agents the same at once, and the list of the keys.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { startAsCurl } from '../client/commands.js';
import { followedAgents } from '../state/selectors.js';
import { KEYS } from '../input/keys.js';
import { MAX_SHOWN, isPending } from '../state/ui.js';
import { agentTitle } from '../state/labels.js';
import { icon } from './icons.js';
import { closeMenu, curls, errorAt } from './components.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Agent} Agent
 */

const MENU = 'ask-several';

/** @param {Page} page */
export function severalMenu(page) {
  const ready = followedAgents(page.state).filter(({ row }) => row?.connection === 'connected');
  if (ready.length < 2) return nothing;
  return html`<button class="several" popovertarget=${MENU}>
      ${icon('play')}<span>Ask several</span>
    </button>
    <div
      popover
      class="menu form"
      id=${MENU}
      role="dialog"
      aria-label="Ask several agents"
      @toggle=${(/** @type {ToggleEvent} */ event) =>
        page.controls.opened(MENU, event.newState === 'open')}
    >
      ${page.ui.opened.has(MENU) ? form(page, ready) : nothing}
    </div>`;
}

/** @param {Page} page @param {Agent[]} ready */
function form(page, ready) {
  const starting = ready.some(({ name }) => isPending(page.ui, 'start', name));

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const given = new FormData(form);
    const names = given.getAll('agent').map(String);
    const first = /** @type {HTMLInputElement} */ (form.querySelector('[name=agent]'));
    const count = names.length > 0 && names.length <= MAX_SHOWN;
    first.setCustomValidity(count ? '' : `Choose one to ${MAX_SHOWN} agents.`);
    if (!form.reportValidity()) return;
    const text = String(given.get('text')).trim();
    if (await page.controls.startAll(names, { text })) closeMenu(form);
  }

  return html`<form @submit=${submit} @change=${uncheck} novalidate>
      <fieldset>
        <legend>Ask these</legend>
        ${ready.map(
          (agent) =>
            html`<label>
              <input type="checkbox" name="agent" value=${agent.name} />
              <i class="swatch" data-hue=${agent.index % 8}></i>
              ${agentTitle(agent, agent.name)}
            </label>`,
        )}
      </fieldset>
      <label for="several-text">the same, in your words</label>
      <input id="several-text" name="text" required autocomplete="off" placeholder="What can you do for tomorrow?" />
      <div class="last">
        <p>What becomes of it is shown side by side.</p>
        <button class="primary" ?disabled=${starting}>${starting ? 'Starting…' : 'Start'}</button>
      </div>
    </form>
    ${curls(page, asCurls(page, ready))} ${ready.map(({ name }) => errorAt(page, `start:${name}`))}`;
}

/** One for each. @param {Page} page @param {Agent[]} ready */
const asCurls = ({ base }, ready) =>
  Object.fromEntries(
    ready.map((agent) => [
      agentTitle(agent, agent.name),
      startAsCurl(base, agent.name, { text: 'Your words' }),
    ]),
  );

/** What was wrong with the choice may be right now. @param {Event} event */
const uncheck = ({ currentTarget }) =>
  /** @type {HTMLElement} */ (currentTarget)
    .querySelectorAll('input')
    .forEach((field) => field.setCustomValidity(''));

/** @param {Page} page */
export const keysHelp = ({ ui, controls }) =>
  html`<button class="quiet help" popovertarget="keys" aria-label="Keys" title="Keys (?)">?</button>
    <div
      popover
      class="menu facts"
      id="keys"
      role="dialog"
      aria-label="Keys"
      @toggle=${(/** @type {ToggleEvent} */ event) =>
        controls.opened('keys', event.newState === 'open')}
    >
      ${ui.opened.has('keys')
        ? html`<dl>
            ${KEYS.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}
          </dl>`
        : nothing}
    </div>`;
