// @ts-check
// Owns the wiring: feed into store, store into view, clicks into actions; one drawing per
// animation frame. The only module that imports them all.

import { render } from './vendor/lit-html/lit-html.js';
import { createAnnouncer } from './state/announcements.js';
import { isFiltering, totals } from './state/selectors.js';
import { createControls } from './input/controls.js';
import { fetchHistory } from './client/feed.js';
import { shareFeed } from './client/tabs.js';
import {
  addHistory,
  applyEvent,
  applySnapshot,
  catchUp,
  createState,
  snapshotOf,
} from './state/store.js';
import { applyRecording, readRecording } from './state/recording.js';
import { createPace } from './scheduler.js';
import { createPast } from './client/history_search.js';
import { listenToKeys } from './input/keys.js';
import { createDossiers } from './client/task_details.js';
import { createSession } from './client/session.js';
import { createTravel } from './timeline/viewport.js';
import { createUi, settle } from './state/ui.js';
import { main, openScreen, topBar } from './page.js';

const PAGE_OF_HISTORY = 200;
/** Ages and countdowns move once a second. */
const TICK_MS = 1_000;
/** On a busy feed; two frames. */
const FIRST_EVENT_MS = 32;

const state = createState();
const ui = createUi(location.search);
// Until it is measured: it is no higher than the window.
ui.list.height = innerHeight;
const pace = createPace();
const travel = createTravel(state, queue, pace);
const past = createPast(state, ui, redraw);
const dossiers = createDossiers(state, ui, redraw);
const session = createSession(redraw);
const announce = createAnnouncer();
const title = document.title;
const regions = {
  bar: element('bar'),
  app: element('app'),
  polite: element('polite'),
  assertive: element('assertive'),
};

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** Grows with every change that is not the feed's: what it guards is drawn in full. */
let stamp = 0;
function redraw() {
  stamp += 1;
  queue();
}

let queued = false;
function queue() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(draw);
}

let moved_at_ms = 0;
/** @type {unknown} */
let moving = null;

/** As redraw, for what the feed alone has changed: not at every frame of a flood. */
function move() {
  if (queued || moving !== null) return;
  const wait_ms = moved_at_ms + pace.step_ms() - Date.now();
  if (wait_ms <= 0) return queue();
  moving = setTimeout(() => {
    moving = null;
    queue();
  }, wait_ms);
}

let drawn = false;
/** @param {number} frame_ms */
function draw(frame_ms) {
  queued = false;
  if (!drawn) {
    // What the host has sent for the time until now.
    regions.bar.replaceChildren();
    regions.app.replaceChildren();
    drawn = true;
  }
  requestAnimationFrame((next_ms) => pace.note(next_ms - frame_ms));
  const now_ms = Date.now();
  if (settle(ui, state, now_ms)) stamp += 1;
  if (ui.hold === null) catchUp(state);
  // Without the host nothing ages: what is shown is as it was.
  const { phase, lost_at_ms, skew_ms } = state.link;
  const seen_ms = phase === 'reconnecting' || phase === 'recording' ? lost_at_ms : null;
  const host_now_ms = (seen_ms ?? now_ms) - skew_ms;
  const before = ui.cards.head;
  follow(now_ms);
  const page = {
    full: ui.cards.head !== before,
    ...{ state, ui, controls, travel, past, dossiers, session },
    ...{ stamp, now_ms, host_now_ms, base: location.href },
  };
  if (ui.filter.tab === 'history' && state.epoch !== null) past.settle();
  if (state.epoch !== null) dossiers.settle();
  // Not :has() in the sheet: all of the page would be styled anew for each notice in it.
  regions.app.toggleAttribute('data-beside', dossiers.open.size === 1);
  render(topBar(page), regions.bar);
  if (state.epoch !== null) render(main(page), regions.app);
  else if (ui.filter.open) render(openScreen(page), regions.app);
  measure();
  say(now_ms);
  maybeLoadOlder();
  if (ui.list.head !== state.head || ui.cards.head !== state.head) move();
}

/**
 * Lets the parts of the page follow the feed: in a flood by turns, so that no frame has
 * to draw all of them. @param {number} now_ms
 */
function follow(now_ms) {
  const behind = [ui.list, ui.cards].filter(({ head }) => head !== state.head);
  const since_ms = now_ms - moved_at_ms;
  if (behind.length === 0 || since_ms < pace.step_ms()) return;
  behind.sort((a, b) => a.head - b.head);
  if (since_ms < 2 * pace.step_ms()) behind.length = 1;
  for (const part of behind) part.head = state.head;
  // The first rows are waited for.
  if (state.rows.length > 0) moved_at_ms = now_ms;
}

/** @param {number} now_ms */
function say(now_ms) {
  const { polite, assertive } = announce(state, now_ms, ui.mine);
  if (regions.polite.textContent !== polite) regions.polite.textContent = polite;
  if (regions.assertive.textContent !== assertive) regions.assertive.textContent = assertive;
  const { waiting, running } = totals(state);
  const head = waiting > 0 ? `(${waiting}) ` : running > 0 ? '● ' : '';
  if (document.title !== head + title) document.title = head + title;
}

/** The list's size, which the window of rows is cut to. */
function measure() {
  for (const [id, its] of /** @type {const} */ ([['list', ui.list], ['table', ui.table], ['past', past.list]])) {
    watch(id, (list, isNew) => {
      if (isNew) list.scrollTop = its.top;
      its.height = list.clientHeight;
      its.row = Number.parseFloat(getComputedStyle(list).getPropertyValue('--row'));
    });
  }
  watch('lanes', (lanes) => {
    travel.resize(lanes.querySelector('.ruler')?.clientWidth ?? 0);
  });
}

/**
 * Calls `note` when the element has come into the page, and when its size has changed.
 * @param {string} id @param {(found: HTMLElement, isNew: boolean) => void} note
 */
function watch(id, note) {
  const found = document.getElementById(id);
  if (!found || watched.get(id) === found) return;
  let isNew = true;
  watched.set(id, found);
  new ResizeObserver(() => {
    if (!found.isConnected) return;
    note(found, isNew);
    isNew = false;
    redraw();
  }).observe(found);
}
/** @type {Map<string, HTMLElement>} */
const watched = new Map();

/** Reaching the end of the list loads more, except in what a filter leaves over. */
function maybeLoadOlder() {
  const { top, height, row } = ui.list;
  const nearEnd = top + height > (state.rows.length - 20) * row;
  if (ui.filter.tab !== 'feed') return;
  if (nearEnd && state.has_older && ui.history === 'idle' && !isFiltering(ui.filter)) {
    loadOlder();
  }
}

async function loadOlder() {
  if (ui.history === 'loading') return;
  ui.history = 'loading';
  redraw();
  const { epoch, rows } = state;
  const before = rows.length > 0 ? rows[0].id : null;
  try {
    const events = await fetchHistory(before, PAGE_OF_HISTORY);
    if (state.epoch === epoch) addHistory(state, events, events.length === PAGE_OF_HISTORY);
    ui.history = 'idle';
  } catch {
    // Said below the list, with a button; the live feed does not depend on it.
    ui.history = 'failed';
  }
  redraw();
}

const feed = ui.filter.open ? null : shareFeed({
  board: () => snapshotOf(state),
  snapshot(snapshot) {
    const first = state.epoch === null;
    applySnapshot(state, snapshot);
    ui.history = 'idle';
    travel.forget();
    dossiers.forget();
    // The first event is right behind: one drawing has both.
    if (first) setTimeout(redraw, FIRST_EVENT_MS);
    else redraw();
  },
  event(event) {
    applyEvent(state, event, Date.now(), ui.hold !== null);
    travel.note(event);
    dossiers.note(event);
    move();
  },
  fault(cause) {
    state.fault = cause;
    redraw();
  },
  link(link) {
    state.link = link;
    if (link.attempt > 0 && link.retry_at_ms !== null) session.check();
    // Until it answers the page says that it is connecting, as it came.
    if (drawn || link.attempt > 0) redraw();
  },
});
function reconnect() {
  feed?.retryNow();
}

/** Shows a saved feed, and no host from now on. @param {File | undefined} file */
async function open(file) {
  if (!file) return;
  ui.errors.delete('open');
  try {
    const events = readRecording(await file.text());
    feed?.close();
    applyRecording(state, events, file.name);
    Object.assign(ui, { hold: null, paused: false, history: 'idle' });
    ui.list.head = state.head;
    controls.search({ open: true });
  } catch (error) {
    ui.errors.set('open', `${file.name}: ${error instanceof Error ? error.message : error}`);
    redraw();
  }
}

const controls = createControls(state, ui, {
  redraw,
  reconnect,
  loadOlder,
  open,
  session,
});

if (ui.filter.open) redraw();
listenToKeys(controls);
setInterval(redraw, TICK_MS);
addEventListener('popstate', controls.readUrl);
addEventListener('online', reconnect);
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') reconnect();
});
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  open(event.dataTransfer?.files[0]);
});
