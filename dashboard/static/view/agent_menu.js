// @ts-check
// The menu with an agent's facts. It also removes the agent.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { agentCurls } from '../client/curl.js';
import { agentTitle, describeFollowing } from '../state/labels.js';
import { isPending } from '../state/ui.js';
import { curlList, errorAt, menu, menuId } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */
/** @import { Agent } from '../state/types.d.ts' */

/** The host's own agent. It cannot be removed. */
const HOST = 'host';

/** @param {Agent} agent */
export const agentMenuButton = (agent) =>
  html`<button
    class="quiet more"
    popovertarget=${menuId('about', agent)}
    aria-label="More about ${agentTitle(agent, agent.name)}"
  >
    ${icon('more')}
  </button>`;

/** @param {Page} page @param {Agent} agent */
export const agentMenu = (page, agent) =>
  menu(page, 'facts', menuId('about', agent), `About ${agentTitle(agent, agent.name)}`, () => content(page, agent));

/** @param {Page} page @param {Agent} agent */
function content(page, agent) {
  const { row, name } = agent;
  return html`<dl>
      ${fact('Address', row?.url)}
      ${row?.interface_url === row?.url ? nothing : fact('Interface', row?.interface_url)}
      ${fact('Version', row?.version)}
      ${fact('Followed', row && describeFollowing(row).join(', '))}
      ${fact('Finds', row?.discovery)} ${fact('Problem', row?.trouble, 'trouble')}
      ${(row?.lint ?? []).map((text) => fact('Not A2A', text, 'trouble'))}
      ${fact('Lost', row?.cause, 'lost')}
    </dl>
    ${name === HOST ? nothing : [removal(page, agent), curlList(page, agentCurls(page.base, name))]}
    ${errorAt(page, `remove:${name}`)}`;
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
  if (ui.confirming_removal !== name) {
    return html`<div class="last">
      <button @click=${() => controls.confirmRemoval(name)}>Remove…</button>
    </div>`;
  }
  const is_removing = isPending(ui, 'remove', name);
  return html`<div class="last" role="group" aria-label="Remove this agent?">
    <p>The feed keeps its events. Its tasks continue, but the host stops following them.</p>
    <button class="danger" ?disabled=${is_removing} @click=${() => controls.remove(name)}>
      ${is_removing ? 'Removing…' : `Remove ${agentTitle(agent, name)}`}
    </button>
    <button @click=${() => controls.confirmRemoval(null)}>Cancel</button>
  </div>`;
}
