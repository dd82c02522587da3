// @ts-check
// A table of any length that only draws its visible rows. The last item is on top.

import { html } from '../vendor/lit-html/lit-html.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { assignSlots } from '../state/row_slots.js';
import { styleVars } from './style_vars.js';
/** @import { Scroll } from '../state/ui.js' */

/** Rows drawn beyond each edge, so that a fast scroll shows no blank. */
const OVERSCAN = 8;
/** Fewer rows at the top, where each new event moves all of them. */
const OVERSCAN_AT_TOP = 3;

/** The elements of each list's rows. @type {WeakMap<Scroll, Map<number | string, number>>} */
const slots_of = new WeakMap();

/**
 * @template T
 * @param {object} list
 * @param {string} list.name
 * @param {T[]} list.rows
 * @param {Scroll} list.scroll
 * @param {boolean} [list.is_partial] true if the log may have more rows
 * @param {(row: T) => number | string} list.keyOf
 * @param {(row: T, place: number) => unknown} list.draw `place` counts from 1
 */
export function virtualList({ name, rows, scroll, is_partial = false, keyOf, draw }) {
  const { top, height, row_height } = scroll;
  const overscan = top > 0 ? OVERSCAN : OVERSCAN_AT_TOP;
  const from = Math.max(0, Math.floor(top / row_height) - overscan);
  const to = Math.min(rows.length, Math.ceil((top + height) / row_height) + overscan);
  const visible = rows.slice(rows.length - to, rows.length - from).reverse();
  const slots = assignSlots(slots_of.get(scroll), visible.map(keyOf));
  slots_of.set(scroll, slots);
  return html`<div
    class="canvas"
    role="table"
    aria-label=${name}
    aria-rowcount=${is_partial ? -1 : rows.length}
    ${styleVars({ '--count': rows.length })}
  >
    <div class="window" role="rowgroup" ${styleVars({ '--from': from })}>
      ${repeat(
        visible,
        (each) => slots.get(keyOf(each)),
        (each, at) => draw(each, from + at + 1),
      )}
    </div>
  </div>`;
}
