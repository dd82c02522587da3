// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { Scheduler, createLaneTurns, createPace } from '../../dashboard/static/scheduler.js';

const FRAME_MS = 16;

/** A page with two parts, a clock that the test moves, and frames every 16 ms. */
function openPage() {
  /** @type {((ms: number) => void)[]} */
  let frames = [];
  /** @type {{ run: () => void, at: number }[]} */
  let timers = [];
  let now = 1_000;
  const list = { head: 0 };
  const cards = { head: 0 };
  const page = {
    list,
    cards,
    head: 0,
    drawings: 0,
    /** The heads of both parts after each drawing. @type {number[][]} */
    heads: [],
    /** @param {number} ms */
    pass(ms) {
      for (const end = now + ms; now < end; ) {
        now += FRAME_MS;
        const due = timers.filter(({ at }) => at <= now);
        timers = timers.filter(({ at }) => at > now);
        for (const { run } of due) run();
        const runs = frames;
        frames = [];
        for (const run of runs) run(now);
      }
    },
    get is_idle() {
      return frames.length === 0 && timers.length === 0;
    },
    scheduler: new Scheduler(
      (now_ms) => {
        page.drawings += 1;
        page.scheduler.advance(page.head, page.head > 0, now_ms);
        page.heads.push([list.head, cards.head]);
      },
      [list, cards],
      {
        now: () => now,
        requestFrame: (run) => void frames.push(run),
        setTimeout: (run, ms) => void timers.push({ run, at: now + ms }),
      },
    ),
  };
  return page;
}

test('the page draws once per frame, however many changes there are', () => {
  const page = openPage();
  for (let i = 0; i < 10; i++) page.scheduler.redraw();
  page.pass(100);
  assert.equal(page.drawings, 1);
  assert.equal(page.scheduler.revision, 10);
  assert.ok(page.is_idle);
});

test('a single event is in both parts after one frame', () => {
  const page = openPage();
  page.head = 1;
  page.scheduler.requestFeedDraw();
  page.pass(FRAME_MS);
  assert.deepEqual(page.heads, [[1, 1]]);
});

test('events that came too early for their parts are drawn later, without another request', () => {
  const page = openPage();
  page.head = 1;
  page.scheduler.requestFeedDraw();
  page.pass(FRAME_MS);
  page.head = 2;
  page.scheduler.redraw();
  page.pass(FRAME_MS);
  assert.deepEqual(page.heads[1], [1, 1]);
  page.pass(500);
  assert.deepEqual([page.list.head, page.cards.head], [2, 2]);
  assert.ok(page.is_idle);
});

test('in a flood the parts take turns', () => {
  const page = openPage();
  for (let id = 1; id <= 100; id++) {
    page.head = id;
    page.scheduler.requestFeedDraw();
    page.pass(FRAME_MS);
  }
  for (let at = 1; at < page.heads.length; at++) {
    const moved = page.heads[at].filter((head, part) => head !== page.heads[at - 1][part]);
    assert.ok(moved.length <= 1, `drawing ${at} moved both`);
  }
  // 100 frames of 16 ms: each part moves every 100 ms.
  assert.ok(page.drawings >= 20 && page.drawings <= 34, `${page.drawings} drawings`);
  page.pass(500);
  assert.deepEqual([page.list.head, page.cards.head], [100, 100]);
});

test('the feed moves ten times a second while drawing is fast', () => {
  const pace = createPace();
  for (let frame = 0; frame < 100; frame++) pace.addFrame(17);
  assert.equal(pace.getPause(), 100);
});

test('the feed moves less often while drawing is slow, but never stops', () => {
  const pace = createPace();
  pace.addFrame(25);
  assert.equal(pace.getPause(), 300);
  assert.equal(pace.getStep(), 150);
  pace.addFrame(900);
  assert.equal(pace.getPause(), 400);
});

test('the feed is fast again some seconds after a slow frame', () => {
  const pace = createPace();
  pace.addFrame(100);
  for (let frame = 0; frame < 120; frame++) pace.addFrame(17);
  assert.equal(pace.getPause(), 100);
});

const FRAME = { ms_per_px: 10, is_moving: false, is_live: true, is_full: false };

test('the lanes of the timeline draw in two turns, then stop', () => {
  /** @type {number[]} */
  const waits = [];
  const turns = createLaneTurns(createPace(), (ms) => waits.push(ms));
  const drawn = () => [turns.getRevision(0), turns.getRevision(1)];
  turns.advance({ ...FRAME, now_ms: 1_000 });
  assert.deepEqual(drawn(), [1, 0]);
  assert.equal(turns.getRevision(2), turns.getRevision(0));
  turns.advance({ ...FRAME, now_ms: 1_050 });
  assert.deepEqual(drawn(), [1, 0]);
  turns.advance({ ...FRAME, now_ms: 1_100 });
  assert.deepEqual(drawn(), [1, 1]);
  const { length } = waits;
  turns.advance({ ...FRAME, now_ms: 1_300 });
  assert.deepEqual(drawn(), [1, 1]);
  assert.equal(waits.length, length);
});

test('lanes wait for a frame that nothing else fills', () => {
  /** @type {number[]} */
  const waits = [];
  const turns = createLaneTurns(createPace(), (ms) => waits.push(ms));
  turns.advance({ ...FRAME, now_ms: 1_000, is_full: true });
  assert.equal(turns.getRevision(0), 0);
  assert.deepEqual(waits, [50]);
});

test('lanes keep moving while the timeline follows the clock', () => {
  const turns = createLaneTurns(createPace(), () => {});
  const keys = new Set();
  for (let now_ms = 1_000; now_ms < 2_000; now_ms += 100) {
    keys.add(turns.advance({ ...FRAME, now_ms, is_moving: true }));
  }
  assert.equal(keys.size, 10);
});

test('all lanes draw at once after a change by the user', () => {
  const turns = createLaneTurns(createPace(), () => {});
  turns.invalidate();
  assert.deepEqual([turns.getRevision(0), turns.getRevision(1)], [1, 1]);
});
