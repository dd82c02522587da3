// @ts-check
// Move the timeline by wheel, drag and keys.

/** @import { Controls } from '../input/controls.js' */
/** @import { Timeline } from './timeline.js' */

/** Zoom per pixel of the wheel. */
const WHEEL = 0.0025;
/** The tip is above its bar if there is less room below. */
const TIP_PX = 130;
const TIP_WIDTH_PX = 300;
/** A shorter movement is a click. */
const DRAG_PX = 4;

/** Listen on a new timeline element. @param {HTMLElement} lanes @param {Timeline} timeline @param {Controls} controls */
export function listenToGestures(lanes, timeline, controls) {
  listenToDrag(lanes, timeline, controls);
  listenToHover(lanes, timeline);
  listenToWheel(lanes, timeline);
  listenToKeys(lanes, timeline);
}

/** @param {HTMLElement} lanes */
const trackLeft = (lanes) =>
  /** @type {Element} */ (lanes.querySelector('.ruler')).getBoundingClientRect().left;

/** @param {Event} event */
const itemAt = (event) =>
  /** @type {HTMLElement | null} */ (
    /** @type {Element} */ (event.target).closest('[data-item]')
  );

/** @param {HTMLElement} lanes @returns {HTMLElement | null} */
const focusedItem = (lanes) => lanes.querySelector('[data-item]:focus');

/**
 * Pan by dragging; open what is clicked.
 * @param {HTMLElement} lanes @param {Timeline} timeline @param {Controls} controls
 */
function listenToDrag(lanes, timeline, controls) {
  /** @type {{ x: number, has_moved: boolean } | null} */
  let drag = null;
  let was_dragged = false;

  /** @param {HTMLElement} element */
  function openItem(element) {
    const id = element.dataset.item ?? '';
    const found = timeline.findItem(id);
    if (!found) return;
    timeline.setTip(null);
    if (found.item.kind === 'task') controls.openTask(id);
    else timeline.zoomToItem(found.item);
  }

  lanes.addEventListener('pointerdown', (event) => {
    if (event.button === 0) drag = { x: event.clientX, has_moved: false };
  });
  lanes.addEventListener('pointermove', (event) => {
    if (!drag) return;
    const by = drag.x - event.clientX;
    if (!drag.has_moved && Math.abs(by) < DRAG_PX) return;
    if (!drag.has_moved) lanes.setPointerCapture(event.pointerId);
    drag = { x: event.clientX, has_moved: true };
    timeline.setTip(null);
    timeline.pan(by);
  });
  for (const end of ['pointerup', 'pointercancel']) {
    lanes.addEventListener(end, () => {
      was_dragged = drag?.has_moved ?? false;
      drag = null;
    });
  }
  lanes.addEventListener('click', (event) => {
    const item = itemAt(event);
    if (item && !was_dragged) openItem(item);
    was_dragged = false;
  });
}

/**
 * Show the tip of the bar below the pointer, or of the focused bar.
 * @param {HTMLElement} lanes @param {Timeline} timeline
 */
function listenToHover(lanes, timeline) {
  /** @param {Event} event */
  function showTip(event) {
    const item = itemAt(event);
    if (!item) return timeline.setTip(null);
    const [box, around] = [item.getBoundingClientRect(), lanes.getBoundingClientRect()];
    const left = event instanceof MouseEvent ? event.clientX - 12 : box.left;
    const up = box.bottom > around.bottom - TIP_PX;
    timeline.setTip({
      id: item.dataset.item ?? '',
      x: Math.max(8, Math.min(left - around.left, around.width - TIP_WIDTH_PX)),
      y: (up ? box.top : box.bottom) - around.top + lanes.scrollTop,
      up,
    });
  }

  const hideTip = () => timeline.setTip(null);
  // A pressed button drags.
  lanes.addEventListener('pointerover', (event) => event.buttons > 0 || showTip(event));
  lanes.addEventListener('pointerleave', hideTip);
  lanes.addEventListener('focusin', (event) => {
    if (itemAt(event)?.matches(':focus-visible')) showTip(event);
  });
  lanes.addEventListener('focusout', hideTip);
}

/** @param {HTMLElement} lanes @param {Timeline} timeline */
function listenToWheel(lanes, timeline) {
  /** @param {WheelEvent} event */
  function onWheel(event) {
    const is_sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const can_scroll = lanes.scrollHeight > lanes.clientHeight + 1;
    if (!is_sideways && can_scroll && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    if (is_sideways) timeline.pan(event.deltaX || event.deltaY);
    else timeline.zoom(Math.exp(event.deltaY * WHEEL), event.clientX - trackLeft(lanes));
  }
  lanes.addEventListener('wheel', onWheel, { passive: false });
}

/** @param {HTMLElement} lanes @param {Timeline} timeline */
function listenToKeys(lanes, timeline) {
  /** Focus the bar beside the focused one. @param {number} along @param {number} across */
  function walk(along, across) {
    const id = focusedItem(lanes)?.dataset.item ?? null;
    const next = timeline.moveTo(id, along, across);
    if (next === null) return pan(along / 4);
    // A bar that was out of sight exists after the next drawing.
    requestAnimationFrame(() => {
      const item = lanes.querySelector(`[data-item="${CSS.escape(next)}"]`);
      if (item instanceof HTMLElement) item.focus();
    });
  }

  /** Keep the focus here, because a bar that leaves the window would lose it. @param {number} by */
  function pan(by) {
    lanes.focus();
    timeline.pan(by * timeline.width);
  }

  /** Zoom around the focused bar. @param {number} factor */
  function zoom(factor) {
    const item = focusedItem(lanes);
    const x = item && Math.max(0, item.getBoundingClientRect().left - trackLeft(lanes));
    timeline.zoom(factor, x ?? undefined);
  }

  /** @type {Record<string, (event: KeyboardEvent) => void>} */
  const actions = {
    ArrowLeft: (event) => (event.shiftKey ? pan(-1 / 4) : walk(-1, 0)),
    ArrowRight: (event) => (event.shiftKey ? pan(1 / 4) : walk(1, 0)),
    ArrowUp: () => walk(0, -1),
    ArrowDown: () => walk(0, 1),
    '+': () => zoom(1 / 2),
    '=': () => zoom(1 / 2),
    '-': () => zoom(2),
    0: () => timeline.fit(),
    End: () => {
      lanes.focus();
      if (!timeline.is_following) timeline.toggleFollow();
    },
  };
  lanes.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !actions[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    actions[event.key](event);
  });
}
