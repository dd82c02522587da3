// @ts-check
// Owns how hands move the timeline: wheel, drag and keys, as one lit-html directive on
// its element. They only call travel.js, and open what is chosen.

import { noChange } from '../vendor/lit-html/lit-html.js';
import { Directive, directive } from '../vendor/lit-html/directive.js';

/** @typedef {import('../page.js').Page} Page */

const WHEEL = 0.0025;
/** What is said of a bar stands above it where there is no room below. */
const TIP_PX = 130;
/** Less is a click with an unsteady hand. */
const DRAG_PX = 4;

class Hands extends Directive {
  /** @param {Page} _page */
  render(_page) {
    return noChange;
  }

  /**
   * @param {import('../vendor/lit-html/lit-html.js').ElementPart} part
   * @param {[Page]} values
   */
  update(part, [page]) {
    if (!this.bound) bind(/** @type {HTMLElement} */ (part.element), page);
    this.bound = true;
    return noChange;
  }
}

export const listenTo = directive(Hands);

/** @param {HTMLElement} lanes @param {Page} page what it holds stays the same object */
function bind(lanes, { travel, controls }) {
  /** @param {Event} event */
  const itemAt = (event) =>
    /** @type {HTMLElement | null} */ (
      /** @type {Element} */ (event.target).closest('[data-item]')
    );
  /** From the left edge of the tracks. @param {MouseEvent} event */
  const x = (event) =>
    event.clientX - /** @type {Element} */ (lanes.querySelector('.ruler')).getBoundingClientRect().left;

  /** @param {HTMLElement} item */
  function choose(item) {
    const id = item.dataset.item ?? '';
    const found = travel.find(id);
    if (!found) return;
    travel.point(null);
    if (found.item.kind === 'task') controls.openTask(id);
    else travel.zoomTo(found.item);
  }

  /** @param {Event} event */
  function point(event) {
    const item = itemAt(event);
    if (!item) return travel.point(null);
    const [box, around] = [item.getBoundingClientRect(), lanes.getBoundingClientRect()];
    const left = event instanceof MouseEvent ? event.clientX - 12 : box.left;
    const up = box.bottom > around.bottom - TIP_PX;
    travel.point({
      id: item.dataset.item ?? '',
      x: Math.max(8, Math.min(left - around.left, around.width - 300)),
      y: (up ? box.top : box.bottom) - around.top + lanes.scrollTop,
      up,
    });
  }

  lanes.addEventListener(
    'wheel',
    (event) => {
      const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
      const scrolls = lanes.scrollHeight > lanes.clientHeight + 1;
      if (!sideways && scrolls && !event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      if (sideways) travel.pan(event.deltaX || event.deltaY);
      else travel.zoom(Math.exp(event.deltaY * WHEEL), x(event));
    },
    { passive: false },
  );

  /** @type {{ x: number, moved: boolean } | null} */
  let drag = null;
  lanes.addEventListener('pointerdown', (event) => {
    if (event.button === 0) drag = { x: event.clientX, moved: false };
  });
  lanes.addEventListener('pointermove', (event) => {
    if (!drag) return;
    const by = drag.x - event.clientX;
    if (!drag.moved && Math.abs(by) < DRAG_PX) return;
    if (!drag.moved) lanes.setPointerCapture(event.pointerId);
    drag = { x: event.clientX, moved: true };
    travel.point(null);
    travel.pan(by);
  });
  let dragged = false;
  for (const end of ['pointerup', 'pointercancel']) {
    lanes.addEventListener(end, () => {
      dragged = drag?.moved ?? false;
      drag = null;
    });
  }
  lanes.addEventListener('click', (event) => {
    const item = itemAt(event);
    if (item && !dragged) choose(item);
    dragged = false;
  });
  lanes.addEventListener('pointerover', (event) => drag?.moved || point(event));
  lanes.addEventListener('pointerleave', () => travel.point(null));
  lanes.addEventListener('focusin', (event) => {
    if (itemAt(event)?.matches(':focus-visible')) point(event);
  });
  lanes.addEventListener('focusout', () => travel.point(null));

  /** @param {number} along @param {number} across */
  function walk(along, across) {
    const now = lanes.querySelector('[data-item]:focus');
    const id = now instanceof HTMLElement ? (now.dataset.item ?? null) : null;
    const next = travel.beside(id, along, across);
    if (next === null) return pan(along / 4);
    // What was out of sight is in the document after the next drawing.
    requestAnimationFrame(() => {
      const item = lanes.querySelector(`[data-item="${CSS.escape(next)}"]`);
      if (item instanceof HTMLElement) item.focus();
    });
  }

  /** A bar that leaves the document takes the focus along. @param {number} by */
  function pan(by) {
    lanes.focus();
    travel.pan(by * travel.width);
  }

  /** About the bar in focus, so that it stays. @param {number} factor */
  function zoom(factor) {
    const now = lanes.querySelector('[data-item]:focus');
    const ruler = /** @type {Element} */ (lanes.querySelector('.ruler'));
    const left = now && now.getBoundingClientRect().left - ruler.getBoundingClientRect().left;
    travel.zoom(factor, left === null ? undefined : Math.max(0, left));
  }

  /** @type {Record<string, (event: KeyboardEvent) => void>} */
  const keys = {
    ArrowLeft: (event) => (event.shiftKey ? pan(-1 / 4) : walk(-1, 0)),
    ArrowRight: (event) => (event.shiftKey ? pan(1 / 4) : walk(1, 0)),
    ArrowUp: () => walk(0, -1),
    ArrowDown: () => walk(0, 1),
    '+': () => zoom(1 / 2),
    '=': () => zoom(1 / 2),
    '-': () => zoom(2),
    0: () => travel.fit(),
    End: () => {
      lanes.focus();
      if (!travel.follow) travel.toggleFollow();
    },
  };
  lanes.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key](event);
  });
}
