// @ts-check
// Wire the page: feed → state → drawing, and controls → commands. The only module that
// imports all others.

import { render } from './vendor/lit-html/lit-html.js';
import { fetchOlderEvents } from './client/feed.js';
import { HistorySearch } from './client/history_search.js';
import { createSession } from './client/session.js';
import { shareFeed } from './client/tabs.js';
import { Details } from './client/task_details.js';
import { Controls } from './input/controls.js';
import { listenToKeys } from './input/keys.js';
import { mainView, openScreen, topBar } from './page.js';
import { Scheduler } from './scheduler.js';
import { createAnnouncer } from './state/announcements.js';
import { applyRecording, parseRecording } from './state/recording.js';
import { countTotals, isFiltering } from './state/selectors.js';
import {
  addOlderEvents,
  applyEvent,
  applySnapshot,
  createState,
  dropRowsAfterSkip,
  toSnapshot,
} from './state/store.js';
import { createUi, isNearEnd, settlePending } from './state/ui.js';
import { listenToGestures } from './timeline/gestures.js';
import { Timeline } from './timeline/timeline.js';

const OLDER_PAGE = 200;
/** Ages and countdowns change once a second. */
const TICK_MS = 1_000;
/** The first event follows the first snapshot within two frames on a busy feed. */
const FIRST_EVENT_MS = 32;

const state = createState();
const ui = createUi(location.search);
// Until the list is measured. It is never higher than the window.
ui.list.height = innerHeight;
const scheduler = new Scheduler(draw, [ui.list, ui.cards]);
const { redraw } = scheduler;
const timeline = new Timeline(state, scheduler);
const search = new HistorySearch(state, ui, redraw);
const details = new Details(state, ui, redraw);
const session = createSession(redraw);
const announce = createAnnouncer();
const title = document.title;
const regions = {
  bar: getElement('bar'),
  app: getElement('app'),
  polite: getElement('polite'),
  assertive: getElement('assertive'),
};

/** @param {string} id */
function getElement(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

let has_drawn = false;

/** @param {number} now_ms */
function draw(now_ms) {
  if (!has_drawn) {
    // The host's HTML for the time until now.
    regions.bar.replaceChildren();
    regions.app.replaceChildren();
    has_drawn = true;
  }
  if (settlePending(ui, state, now_ms)) scheduler.revision += 1;
  if (ui.hold === null) dropRowsAfterSkip(state);
  // Without the host, ages stand still: the page shows the past.
  const { phase, lost_at_ms, skew_ms } = state.link;
  const is_frozen = phase === 'reconnecting' || phase === 'recording';
  const host_now_ms = ((is_frozen ? lost_at_ms : null) ?? now_ms) - skew_ms;
  const cards_head = ui.cards.head;
  scheduler.advance(state.head, state.rows.length > 0, now_ms);
  /** @type {import('./page.js').Page} */
  const page = {
    state,
    ui,
    controls,
    timeline,
    search,
    details,
    session,
    revision: scheduler.revision,
    is_frame_full: ui.cards.head !== cards_head,
    now_ms,
    host_now_ms,
    base: location.href,
  };
  if (ui.filter.tab === 'history' && state.epoch !== null) search.update();
  if (state.epoch !== null) details.update();
  // `:has()` in the style sheet would restyle the whole page at each change below it.
  regions.app.toggleAttribute('data-beside', details.open.size === 1);
  render(topBar(page), regions.bar);
  if (state.epoch !== null) render(mainView(page), regions.app);
  else if (ui.filter.open) render(openScreen(page), regions.app);
  observeSizes();
  updateAnnouncements(now_ms);
  loadOlderAtEnd();
}

/** @param {number} now_ms */
function updateAnnouncements(now_ms) {
  const { polite, assertive } = announce(state, now_ms, ui.started_here);
  if (regions.polite.textContent !== polite) regions.polite.textContent = polite;
  if (regions.assertive.textContent !== assertive) regions.assertive.textContent = assertive;
  const { waiting, running } = countTotals(state);
  const prefix = waiting > 0 ? `(${waiting}) ` : running > 0 ? '● ' : '';
  if (document.title !== prefix + title) document.title = prefix + title;
}

/** Observe the lists' sizes, which decide how many rows are drawn. */
function observeSizes() {
  const lists = { list: ui.list, table: ui.table, results: search.list };
  for (const [id, scroll] of Object.entries(lists)) {
    observeSize(id, (list, is_new) => {
      if (is_new) list.scrollTop = scroll.top;
      scroll.height = list.clientHeight;
      scroll.row_height = Number.parseFloat(getComputedStyle(list).getPropertyValue('--row'));
    });
  }
  observeSize('lanes', (lanes, is_new) => {
    if (is_new) listenToGestures(lanes, timeline, controls);
    timeline.resize(lanes.querySelector('.ruler')?.clientWidth ?? 0);
  });
}

/** @type {Map<string, HTMLElement>} */
const observed = new Map();

/**
 * Call `measure` when the element first appears, and at each change of its size.
 * @param {string} id @param {(found: HTMLElement, is_new: boolean) => void} measure
 */
function observeSize(id, measure) {
  const found = document.getElementById(id);
  if (!found || observed.get(id) === found) return;
  let is_new = true;
  observed.set(id, found);
  new ResizeObserver(() => {
    if (!found.isConnected) return;
    measure(found, is_new);
    is_new = false;
    redraw();
  }).observe(found);
}

/** Load older events near the end of the list, but not for a filtered list. */
function loadOlderAtEnd() {
  if (ui.filter.tab !== 'feed' || isFiltering(ui.filter)) return;
  if (!state.has_older || ui.older_events !== 'idle') return;
  if (isNearEnd(ui.list, state.rows.length)) void loadOlder();
}

async function loadOlder() {
  if (ui.older_events === 'loading') return;
  ui.older_events = 'loading';
  redraw();
  const { epoch, rows } = state;
  const before = rows.length > 0 ? rows[0].id : null;
  try {
    const events = await fetchOlderEvents(before, OLDER_PAGE);
    if (state.epoch === epoch) addOlderEvents(state, events, events.length === OLDER_PAGE);
    ui.older_events = 'idle';
  } catch {
    // The list's last row reports it. The live feed goes on.
    ui.older_events = 'failed';
  }
  redraw();
}

const feed = ui.filter.open ? null : shareFeed({
  board: () => toSnapshot(state),
  snapshot(snapshot) {
    const is_first = state.epoch === null;
    applySnapshot(state, snapshot);
    ui.older_events = 'idle';
    timeline.reload();
    details.reload();
    // One drawing for the first snapshot and the first event.
    if (is_first) setTimeout(redraw, FIRST_EVENT_MS);
    else redraw();
  },
  event(event) {
    applyEvent(state, event, Date.now(), ui.hold !== null);
    timeline.addEvent(event);
    details.addEvent(event);
    scheduler.requestFeedDraw();
  },
  fault(cause) {
    state.fault = cause;
    redraw();
  },
  link(link) {
    state.link = link;
    if (link.attempt > 0 && link.retry_at_ms !== null) void session.check();
    // Before the first answer, the host's HTML already says that the page connects.
    if (has_drawn || link.attempt > 0) redraw();
  },
});

const reconnect = () => feed?.retryNow();

/** Show a recording, and disconnect from the host for good. @param {File | undefined} file */
async function openRecording(file) {
  if (!file) return;
  ui.errors.delete('open');
  try {
    const events = parseRecording(await file.text());
    feed?.close();
    applyRecording(state, events, file.name);
    Object.assign(ui, { hold: null, paused: false, older_events: 'idle' });
    ui.list.head = state.head;
    controls.setFilter({ open: true });
  } catch (error) {
    ui.errors.set('open', `${file.name}: ${error instanceof Error ? error.message : error}`);
    redraw();
  }
}

const controls = new Controls(state, ui, { redraw, reconnect, loadOlder, openRecording, session });

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
  void openRecording(event.dataTransfer?.files[0]);
});
