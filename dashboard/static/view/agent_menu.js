// @ts-check
// Owns the menu that says how an agent is followed, and takes it off the roster.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { agentCurls } from '../client/commands.js';
import { isPending } from '../state/ui.js';
import { agentTitle, followedHow } from '../state/labels.js';
import { icon } from './icons.js';
import { curls, errorAt } from './components.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Agent} Agent
 */

/** The host itself, which follows the others. */
const HOST = 'host';

/** @param {Agent} agent */
const aboutMenuId = (agent) => `about-${agent.index}`;

/** @param {Agent} agent */
export const aboutButton = (agent) =>
  html`<button
    class="quiet more"
    popovertarget=${aboutMenuId(agent)}
    aria-label="More about ${agentTitle(agent, agent.name)}"
  >
    ${icon('more')}
  </button>`;

/** @param {Page} page @param {Agent} agent */
export function aboutMenu(page, agent) {
  const id = aboutMenuId(agent);
  const { ui, controls } = page;
  return html`<div
    popover
    class="menu facts"
    id=${id}
    role="dialog"
    aria-label="About ${agentTitle(agent, agent.name)}"
    @toggle=${(/** @type {ToggleEvent} */ event) => {
      if (event.newState === 'closed') controls.confirmRemoval(null);
      controls.opened(id, event.newState === 'open');
    }}
  >
    ${ui.opened.has(id) ? content(page, agent) : nothing}
  </div>`;
}

/** @param {Page} page @param {Agent} agent */
function content(page, agent) {
  const { row } = agent;
  return html`<dl>
      ${fact('Address', row?.url)}
      ${row?.interface_url === row?.url ? nothing : fact('Interface', row?.interface_url)}
      ${fact('Version', row?.version)}
      ${fact('Followed', row && followedHow(row).join(', '))}
      ${fact('Finds', row?.discovery)} ${fact('Trouble', row?.trouble, 'trouble')}
      ${fact('Lost', row?.cause, 'lost')}
    </dl>
    ${agent.name === HOST
      ? nothing
      : [removal(page, agent), curls(page, agentCurls(page.base, agent.name))]}
    ${errorAt(page, `remove:${agent.name}`)}`;
}

/** @param {string} name @param {string | null | undefined} value @param {string} [tone] */
const fact = (name, value, tone) =>
  value
    ? html`<div data-tone=${tone ?? nothing}>
        <dt>${name}</dt>
        <dd>${value}</dd>
      </div>`
    : nothing;

/** @param {Page} page @param {Agent} agent */
function removal({ ui, controls }, agent) {
  const { name } = agent;
  if (ui.removing !== name) {
    return html`<div class="last">
      <button @click=${() => controls.confirmRemoval(name)}>Remove…</button>
    </div>`;
  }
  const removing = isPending(ui, 'remove', name);
  return html`<div class="last" role="group" aria-label="Remove it?">
    <p>Its history stays. Its tasks go on without being followed.</p>
    <button class="danger" ?disabled=${removing} @click=${() => controls.remove(name)}>
      ${removing ? 'Removing…' : `Remove ${agentTitle(agent, name)}`}
    </button>
    <button @click=${() => controls.confirmRemoval(null)}>Keep</button>
  </div>`;
}
