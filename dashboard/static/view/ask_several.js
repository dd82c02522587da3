// @ts-check
// The menu that sends one prompt to several agents.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { sendAsCurl } from '../client/curl.js';
import { agentTitle } from '../state/labels.js';
import { listAgents } from '../state/selectors.js';
import { MAX_DRAWERS, isPending } from '../state/ui.js';
import { closeMenu, curlList, errorAt, formOf, menu, swatch } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */
/** @import { Agent } from '../state/types.d.ts' */

const MENU = 'ask-several';

/** @param {Page} page */
export function askSeveral(page) {
  const agents = listAgents(page.state).filter(({ row }) => row?.connection === 'connected');
  if (agents.length < 2) return nothing;
  return html`<button class="several" popovertarget=${MENU}>
      ${icon('play')}<span>Ask several</span>
    </button>
    ${menu(page, 'form', MENU, 'Ask several agents', () => form(page, agents))}`;
}

/** @param {Page} page @param {Agent[]} agents */
function form(page, agents) {
  const is_starting = agents.some(({ name }) => isPending(page.ui, 'start', name));

  /** @param {SubmitEvent} event */
  async function submit(event) {
    event.preventDefault();
    const form = formOf(event);
    const data = new FormData(form);
    const names = data.getAll('agent').map(String);
    const first = /** @type {HTMLInputElement} */ (form.querySelector('[name=agent]'));
    const is_valid = names.length > 0 && names.length <= MAX_DRAWERS;
    first.setCustomValidity(is_valid ? '' : `Choose one to ${MAX_DRAWERS} agents.`);
    if (!form.reportValidity()) return;
    const text = String(data.get('text')).trim();
    if (await page.controls.startAll(names, { text })) closeMenu(form);
  }

  return html`<form @submit=${submit} @change=${clearValidity} novalidate>
      <fieldset>
        <legend>Agents</legend>
        ${agents.map(
          (agent) =>
            html`<label>
              <input type="checkbox" name="agent" value=${agent.name} />
              ${swatch(agent)} ${agentTitle(agent, agent.name)}
            </label>`,
        )}
      </fieldset>
      <label for="several-text">Message</label>
      <input id="several-text" name="text" required autocomplete="off" placeholder="What can you do for tomorrow?" />
      <div class="last">
        <p>The tasks open side by side.</p>
        <button class="primary" ?disabled=${is_starting}>${is_starting ? 'Starting…' : 'Start'}</button>
      </div>
    </form>
    ${curlList(page, listCurls(page, agents))} ${agents.map(({ name }) => errorAt(page, `start:${name}`))}`;
}

/** @param {Page} page @param {Agent[]} agents */
const listCurls = ({ base }, agents) =>
  Object.fromEntries(
    agents.map((agent) => [
      agentTitle(agent, agent.name),
      sendAsCurl(base, agent.name, { text: 'Your message' }),
    ]),
  );

/** A change may have made the choice valid. @param {Event} event */
const clearValidity = (event) =>
  formOf(event)
    .querySelectorAll('input')
    .forEach((field) => field.setCustomValidity(''));
