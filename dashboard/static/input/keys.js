// @ts-check
// The page's keyboard shortcuts. A key does what a button of the page does. Keys do nothing
// while the user types, and never replace a shortcut of the browser.

/** For the help, in its order. */
export const KEYS = [
  ['1 – 9', 'focus an agent’s card'],
  ['s', 'start a task there'],
  ['x', 'stop its task'],
  ['r', 'reply to the first question'],
  ['j k', 'next and previous event'],
  ['Enter', 'open the task'],
  ['Esc', 'close it'],
  ['Space', 'pause or resume the feed'],
  ['End', 'newest event'],
  ['t', 'timeline'],
  ['/', 'search'],
  ['?', 'this list'],
];

/** @param {string} selector @returns {HTMLElement | null} */
const find = (selector) => document.querySelector(selector);

/** @param {Element} root @param {string} selector */
const clickIn = (root, selector) =>
  /** @type {HTMLElement | null} */ (root.querySelector(selector))?.click();

/** Return the card that has the focus, or the only card. */
const findCard = () => document.activeElement?.closest('.card') ?? find('.card:only-of-type');

/** Focus the next row below or above the focused one. @param {1 | -1} by */
function focusNextRow(by) {
  /** @type {NodeListOf<HTMLElement>} */
  const all = document.querySelectorAll('.row .id button');
  const focused = [...all].findIndex((button) => button === document.activeElement);
  const next = all[focused + by] ?? (focused < 0 ? all[0] : null);
  next?.focus();
}

/** @param {number} place */
function focusCard(place) {
  const card = document.querySelectorAll('.card')[place];
  if (!card) return;
  card.scrollIntoView({ block: 'nearest' });
  /** @type {HTMLElement | null} */
  const button = card.querySelector('footer button:enabled');
  button?.focus();
}

/** @param {import('./controls.js').Controls} controls */
export function listenToKeys(controls) {
  /** @type {Record<string, () => void>} */
  const actions = {
    t: () => controls.navigate({ tab: 'timeline' }),
    '/': () => {
      controls.navigate({ tab: 'history' });
      // The field exists after the next drawing.
      requestAnimationFrame(() => document.getElementById('search')?.focus());
    },
    Escape: () => controls.closeTask(null),
    j: () => focusNextRow(1),
    k: () => focusNextRow(-1),
    s: () => clickIn(findCard() ?? document.body, 'button.start'),
    x: () => clickIn(find('.drawer:focus-within') ?? findCard() ?? document.body, 'button.stop'),
    r: () => find('.drawer form.question input, .needs input')?.focus(),
    ' ': controls.togglePause,
    End: controls.resume,
    '?': () => document.getElementById('keys')?.togglePopover(),
  };
  addEventListener('keydown', (event) => {
    const { key } = event;
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    // The browser closes an open menu, and Esc also works in a text field.
    if (key === 'Escape' && find(':popover-open')) return;
    const is_typing = target.closest('input, textarea, select, [contenteditable]');
    if (is_typing && key !== 'Escape') return;
    if (key === ' ' && target.closest('button, a, summary, [tabindex]')) return;
    const action = /^[1-9]$/.test(key) ? () => focusCard(Number(key) - 1) : actions[key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
