// @ts-check
// The menu that starts a task: the examples of the agent's skills, or free text.

import { html } from '../vendor/lit-html/lit-html.js';
import { sendAsCurl } from '../client/curl.js';
import { agentTitle } from '../state/labels.js';
import { isPending } from '../state/ui.js';
import { clip, closeMenu, curlList, errorAt, fieldOf, formOf, menu, menuId } from './components.js';
import { icon } from './icons.js';
/** @import { Page } from '../page.js' */
/** @import { Agent, Skill } from '../state/types.d.ts' */
/** @import { Prompt } from '../client/commands.js' */

/** @param {Page} page @param {Agent} agent */
export const startMenu = (page, agent) =>
  menu(page, 'start', menuId('start', agent), `Start ${agentTitle(agent, agent.name)}`, () =>
    content(page, agent),
  );

/** @param {Page} page @param {Agent} agent */
function content(page, agent) {
  const is_starting = isPending(page.ui, 'start', agent.name);

  /** @param {Event} event @param {Prompt} prompt */
  async function start(event, prompt) {
    const element = /** @type {HTMLElement} */ (event.currentTarget);
    if (await page.controls.start(agent.name, prompt)) closeMenu(element);
  }

  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    return start(event, { text: fieldOf(formOf(event), 'text').value.trim() });
  }

  const skills = agent.row?.skills ?? [];
  return html`
    <ul>
      ${skills.map((skill) => skillView(skill, is_starting, start))}
    </ul>
    <form @submit=${submit}>
      <label for="words-${agent.index}">${skills.length > 0 ? 'Or in your own words' : 'In your own words'}</label>
      <div class="field">
        <input
          id="words-${agent.index}"
          name="text"
          required
          autocomplete="off"
          placeholder="Ask ${agentTitle(agent, agent.name)} something"
        />
        <button class="primary" ?disabled=${is_starting}>${is_starting ? 'Starting…' : 'Start'}</button>
      </div>
    </form>
    ${curlList(page, listCurls(page, agent.name, skills))} ${errorAt(page, `start:${agent.name}`)}
  `;
}

/** One command per skill, and one with free text. @param {Page} page @param {string} agent @param {Skill[]} skills */
function listCurls({ base }, agent, skills) {
  const curls = skills.map(({ id, name, examples }) => [
    name,
    sendAsCurl(base, agent, { text: examples[0] ?? name, skillId: id }),
  ]);
  curls.push(['Free text', sendAsCurl(base, agent, { text: 'Your message' })]);
  return Object.fromEntries(curls);
}

/**
 * @param {Skill} skill @param {boolean} is_starting
 * @param {(event: Event, prompt: Prompt) => void} start
 */
function skillView({ id, name, description, examples }, is_starting, start) {
  const texts = examples.length > 0 ? examples : [name];
  return html`<li data-skill=${id}>
    <h3>${name}</h3>
    <p>${clip(description)}</p>
    ${texts.map(
      (text) =>
        html`<button
          class="choice"
          ?disabled=${is_starting}
          @click=${(/** @type {Event} */ event) => start(event, { text, skillId: id })}
        >
          ${icon('play')}<span>${text}</span>
        </button>`,
    )}
  </li>`;
}
