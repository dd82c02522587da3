// @ts-check
// Owns the keys of the whole page. A key does nothing while somebody types, and none that
// belongs to the browser is taken. What a key does is what a button on the page does.

/** What the help lists, in its order. */
export const KEYS = [
  ['1 – 9', 'an agent’s card'],
  ['s', 'start something there'],
  ['x', 'stop its task'],
  ['r', 'reply to the first question'],
  ['j k', 'down and up the feed'],
  ['Enter', 'the task in full'],
  ['Esc', 'close it'],
  ['Space', 'pause and resume'],
  ['End', 'the newest'],
  ['t', 'timeline'],
  ['/', 'search'],
  ['?', 'these keys'],
];

/** @param {string} selector @returns {HTMLElement | null} */
const find = (selector) => document.querySelector(selector);

/** @param {Element} from @param {string} selector */
const pressIn = (from, selector) =>
  /** @type {HTMLElement | null} */ (from.querySelector(selector))?.click();

/** The card that the focus is in, else the one that is alone. */
const card = () => document.activeElement?.closest('.card') ?? find('.card:only-of-type');

/** The next row that can be opened, below or above the one in focus. @param {1 | -1} by */
function walk(by) {
  /** @type {NodeListOf<HTMLElement>} */
  const all = document.querySelectorAll('.row .id button');
  const now = [...all].findIndex((button) => button === document.activeElement);
  const next = all[now + by] ?? (now < 0 ? all[0] : null);
  next?.focus();
}

/** @param {ReturnType<typeof import('./controls.js').createControls>} controls */
export function listenToKeys(controls) {
  /** @type {Record<string, () => void>} */
  const keys = {
    t: () => controls.showTab('timeline'),
    '/': () => {
      controls.showTab('history');
      // It is in the document after the next drawing.
      requestAnimationFrame(() => document.getElementById('search')?.focus());
    },
    Escape: () => controls.closeTask(null),
    j: () => walk(1),
    k: () => walk(-1),
    s: () => pressIn(card() ?? document.body, 'button.start'),
    x: () => pressIn(find('.drawer:focus-within') ?? card() ?? document.body, 'button.stop'),
    r: () => find('.drawer form.question input, .needs input')?.focus(),
    ' ': controls.togglePause,
    End: () => {
      document.getElementById('list')?.scrollTo({ top: 0 });
      controls.resume();
    },
    '?': () => document.getElementById('keys')?.togglePopover(),
  };
  addEventListener('keydown', (event) => {
    const { target, key } = event;
    const on = target instanceof Element ? target : document.body;
    const typing = on.closest('input, textarea, select, [contenteditable]');
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // Esc closes the menu that is open, and leaves the field that is typed in.
    if (key === 'Escape' && find(':popover-open')) return;
    if (typing && key !== 'Escape') return;
    if (key === ' ' && on.closest('button, a, summary, [tabindex]')) return;
    const run = /^[1-9]$/.test(key) ? () => focusCard(Number(key) - 1) : keys[key];
    if (!run) return;
    event.preventDefault();
    run();
  });
}

/** @param {number} at */
function focusCard(at) {
  const found = document.querySelectorAll('.card')[at];
  if (!found) return;
  found.scrollIntoView({ block: 'nearest' });
  /** @type {HTMLElement | null} */
  const button = found.querySelector('footer button:enabled');
  button?.focus();
}
