// @ts-check
// The icons: 16 px line drawings in the colour of the text around them.

import { html } from '../vendor/lit-html/lit-html.js';

const RING = 'M8 1.75a6.25 6.25 0 1 0 0 12.5a6.25 6.25 0 1 0 0-12.5z';

/** Each icon: the stroked path and the filled path. */
const DRAWINGS = {
  half: [RING, 'M8 4a4 4 0 0 1 0 8z'],
  dashed: [
    'M5.6 2.2A6.25 6.25 0 0 1 8 1.75M12.4 3.6A6.25 6.25 0 0 1 14 6.3M14.2 9A6.25 6.25' +
      ' 0 0 1 12.4 12.4M10 13.9A6.25 6.25 0 0 1 6 13.9M3.6 12.4A6.25 6.25 0 0 1 1.8' +
      ' 9M2 6.3A6.25 6.25 0 0 1 2.8 4.6',
    '',
  ],
  question: [
    `${RING}M6.2 6.3a1.9 1.9 0 1 1 2.6 1.8c-.5.2-.8.6-.8 1.2`,
    'M8 10.6a.85.85 0 1 0 0 1.7a.85.85 0 1 0 0-1.7z',
  ],
  lock: ['M4 7.25h8v6H4zM5.5 7V5a2.5 2.5 0 0 1 5 0v2', ''],
  check: [`${RING}M5.3 8.2l1.9 1.9 3.6-4`, ''],
  cross: [`${RING}M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4`, ''],
  minus: [`${RING}M5.2 8h5.6`, ''],
  stopped: [RING, 'M5.75 5.75h4.5v4.5h-4.5z'],
  dot: ['', 'M8 4.25a3.75 3.75 0 1 0 0 7.5a3.75 3.75 0 1 0 0-7.5z'],
  broken: [
    'M9.5 4.5l1.2-1.2a2.5 2.5 0 0 1 3.5 0 2.5 2.5 0 0 1 0 3.5L12 9M6.5 11.5l-1.2' +
      ' 1.2a2.5 2.5 0 0 1-3.5 0 2.5 2.5 0 0 1 0-3.5L4 7M2 2l12 12',
    '',
  ],
  page: ['M4 1.75h5l3.25 3.25v9.25H4zM9 1.75V5h3.25M6.2 8.5h3.8M6.2 11h3.8', ''],
  bubble: ['M2 3h12v8H7.5L4.5 13.6V11H2z', ''],
  plus: ['M8 3v10M3 8h10', ''],
  less: ['M3 8h10', ''],
  more: [
    '',
    'M3.2 6.8a1.2 1.2 0 1 0 0 2.4a1.2 1.2 0 1 0 0-2.4zM8 6.8a1.2 1.2 0 1 0 0 2.4a1.2' +
      ' 1.2 0 1 0 0-2.4zM12.8 6.8a1.2 1.2 0 1 0 0 2.4a1.2 1.2 0 1 0 0-2.4z',
  ],
  warning: [
    'M8 2.2L14.2 13.4H1.8zM8 6.4v3.4',
    'M8 10.9a.8.8 0 1 0 0 1.6a.8.8 0 1 0 0-1.6z',
  ],
  hourglass: [
    'M4 1.75h8M4 14.25h8M5 1.75v2.5L8 8l3-3.75v-2.5M5 14.25v-2.5L8 8l3 3.75v2.5',
    'M6.4 12.9L8 11.2l1.6 1.7z',
  ],
  gap: ['M1.5 8h2M5 8h2M9 8h2M12.5 8h2', ''],
  play: ['', 'M4.5 2.8v10.4L13 8z'],
  stop: ['', 'M4 4h8v8H4z'],
  pause: ['', 'M4 3.5h3v9H4zM9 3.5h3v9H9z'],
  reply: ['M6.5 4L2.5 8l4 4M2.5 8H10a3.5 3.5 0 0 1 3.5 3.5V12', ''],
  again: ['M13.2 8A5.2 5.2 0 1 1 11.6 4.2L13.5 6M13.5 2.6V6h-3.4', ''],
  down: ['M8 2.5V11M4.5 7.7L8 11l3.5-3.3M2.8 13.7h10.4', ''],
  up: ['M8 13V3.5M4 7.2L8 3.2l4 4', ''],
  close: ['M4.5 4.5l7 7M11.5 4.5l-7 7', ''],
  copy: ['M5.75 5.75h8v8h-8zM10 3.5V2.25H2.25V10H3.5', ''],
  stack: ['M8 2.2L14 5.3 8 8.4 2 5.3zM2 8.2l6 3.1 6-3.1M2 11l6 3.1L14 11', ''],
};

/** @typedef {keyof typeof DRAWINGS} IconName */

/** @param {IconName} name */
export function icon(name) {
  const [stroke, fill] = DRAWINGS[name];
  // Always both paths: an empty one costs less than one that comes and goes.
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
    <path class="stroke" d=${stroke}></path>
    <path class="fill" d=${fill}></path>
  </svg>`;
}
