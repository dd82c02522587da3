// @ts-check
// Owns the menu that starts a task: the skills on the agent's card with their examples,
// or free text.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { startAsCurl } from '../client/commands.js';
import { isPending } from '../state/ui.js';
import { agentTitle } from '../state/labels.js';
import { icon } from './icons.js';
import { clip, closeMenu, curls, errorAt } from './components.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('../state/types.d.ts').Agent} Agent
 * @typedef {import('../state/types.d.ts').Skill} Skill
 * @typedef {import('../client/commands.js').Words} Words
 */

/** An element id: names may have characters that no id may. @param {Agent} agent */
export const startMenuId = (agent) => `start-${agent.index}`;

/** @param {Page} page @param {Agent} agent */
export function startMenu(page, agent) {
  const id = startMenuId(agent);
  return html`<div
    popover
    class="menu start"
    id=${id}
    role="dialog"
    aria-label="Start ${agentTitle(agent, agent.name)}"
    @toggle=${(/** @type {ToggleEvent} */ event) =>
      page.controls.opened(id, event.newState === 'open')}
  >
    ${page.ui.opened.has(id) ? content(page, agent) : nothing}
  </div>`;
}

/** @param {Page} page @param {Agent} agent */
function content(page, agent) {
  const starting = isPending(page.ui, 'start', agent.name);

  /** @param {Event} event @param {Words} words */
  async function start(event, words) {
    const chosen = /** @type {HTMLElement} */ (event.currentTarget);
    if (await page.controls.start(agent.name, words)) closeMenu(chosen);
  }

  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.currentTarget);
    const field = /** @type {HTMLInputElement} */ (form.elements.namedItem('text'));
    return start(event, { text: field.value.trim() });
  }

  const skills = agent.row?.skills ?? [];
  return html`
    <ul>
      ${skills.map((skill) => skillView(skill, starting, start))}
    </ul>
    <form @submit=${submit}>
      <label for="words-${agent.index}">
        ${skills.length > 0 ? 'Or in your own words' : 'In your own words'}
      </label>
      <div class="field">
        <input
          id="words-${agent.index}"
          name="text"
          required
          autocomplete="off"
          placeholder="Ask ${agentTitle(agent, agent.name)} something"
        />
        <button class="primary" ?disabled=${starting}>
          ${starting ? 'Starting…' : 'Start'}
        </button>
      </div>
    </form>
    ${curls(page, asCurls(page, agent, skills))} ${errorAt(page, `start:${agent.name}`)}
  `;
}

/** A start of each skill, and one in words. @param {Page} page @param {Agent} agent @param {Skill[]} skills */
const asCurls = ({ base }, { name }, skills) =>
  Object.fromEntries(
    [...skills, null].map((skill) => [
      skill?.name ?? 'In words',
      startAsCurl(base, name, {
        text: skill ? (skill.examples[0] ?? skill.name) : 'Your words',
        skillId: skill?.id,
      }),
    ]),
  );

/**
 * @param {Skill} skill @param {boolean} starting
 * @param {(event: Event, words: Words) => void} start
 */
function skillView(skill, starting, start) {
  const texts = skill.examples.length > 0 ? skill.examples : [skill.name];
  return html`<li data-skill=${skill.id}>
    <h3>${skill.name}</h3>
    <p>${clip(skill.description)}</p>
    ${texts.map(
      (text) =>
        html`<button
          class="choice"
          ?disabled=${starting}
          @click=${(/** @type {Event} */ event) =>
            start(event, { text, skillId: skill.id })}
        >
          ${icon('play')}<span>${text}</span>
        </button>`,
    )}
  </li>`;
}
