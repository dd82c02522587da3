// @ts-check
// Decides when the page draws, and which parts are updated in a frame. With many events
// per second, the parts are updated in turn, so that no frame draws all of them.

/**
 * @typedef {object} Part a part of the page that follows the feed
 * @property {number} head the newest event id that it shows
 *
 * @typedef {object} Clock the browser functions that the scheduler uses; tests pass a fake
 * @property {() => number} now
 * @property {(run: (ms: number) => void) => void} requestFrame
 * @property {(run: () => void, ms: number) => void} setTimeout
 *
 * @typedef {ReturnType<typeof createPace>} Pace
 * @typedef {ReturnType<typeof createLaneTurns>} LaneTurns
 */

/** The pause between two updates of a list. Shorter: too fast to read. Longer: looks frozen. */
const MIN_PAUSE_MS = 100;
const MAX_PAUSE_MS = 400;
/** The duration of one frame at 60 frames per second, with some tolerance. */
const SMOOTH_FRAME_MS = 20;
/** The maximum share of the time that slow frames may take. */
const MAX_SHARE = 1 / 12;
/** Per frame: the measured duration of a slow frame halves within ten frames. */
const DECAY = 0.93;
/** Each turn draws every second lane. */
const LANE_TURNS = 2;
/** Lanes whose bars move slowly are still redrawn this often, so that they do not look frozen. */
const MAX_LANE_PAUSE_MS = 500;

/** @type {Clock} */
const browser = {
  now: () => Date.now(),
  requestFrame: (run) => void requestAnimationFrame(run),
  setTimeout: (run, ms) => void setTimeout(run, ms),
};

/** Measures frames. If drawing takes long, the pause between updates gets longer. */
export function createPace() {
  let slow_ms = 0;
  const getPause = () =>
    slow_ms < SMOOTH_FRAME_MS ? MIN_PAUSE_MS : Math.max(MIN_PAUSE_MS, Math.round(slow_ms / MAX_SHARE));
  return {
    /** @param {number} frame_ms the duration of a frame that drew something */
    addFrame(frame_ms) {
      // Limited, because in a hidden tab one frame can last for hours.
      slow_ms = Math.max(slow_ms * DECAY, Math.min(frame_ms, MAX_PAUSE_MS * MAX_SHARE));
    },
    /** Return the pause between two drawings of one part, in ms. */
    getPause,
    /** Return the pause between the updates of two parts, in ms. */
    getStep: () => getPause() / 2,
  };
}

export class Scheduler {
  /** Counts the changes that did not come from the feed. Views pass it to lit's `guard`. */
  revision = 0;
  pace = createPace();
  lane_turns = createLaneTurns(this.pace, (ms) => this.requestDrawAfter(ms, 'lanes'));
  is_queued = false;
  /** The reasons of the running timers. */
  waiting = new Set();
  moved_at_ms = 0;
  /** The feed's head at the last drawing. */
  head = 0;

  /**
   * @param {(now_ms: number) => void} draw draws the page; runs at most once per frame
   * @param {Part[]} parts
   * @param {Clock} [clock]
   */
  constructor(draw, parts, clock = browser) {
    this.draw = draw;
    this.parts = parts;
    this.clock = clock;
  }

  /** Draw the whole page in the next frame. */
  redraw = () => {
    this.revision += 1;
    this.requestDraw();
  };

  /** Draw in the next frame what has changed. */
  requestDraw() {
    if (this.is_queued) return;
    this.is_queued = true;
    this.clock.requestFrame((frame_ms) => this.onFrame(frame_ms));
  }

  /** @param {number} frame_ms */
  onFrame(frame_ms) {
    this.is_queued = false;
    this.clock.requestFrame((next_ms) => this.pace.addFrame(next_ms - frame_ms));
    this.draw(this.clock.now());
    // Some parts were not updated in this frame, or events had to wait.
    if (this.listBehind().length > 0) this.requestFeedDraw();
  }

  listBehind() {
    return this.parts.filter((part) => part.head !== this.head);
  }

  /** Draw new events soon, but no sooner than the pace allows. */
  requestFeedDraw() {
    if (this.is_queued || this.waiting.has('feed')) return;
    const wait_ms = this.moved_at_ms + this.pace.getStep() - this.clock.now();
    if (wait_ms <= 0) return this.requestDraw();
    this.requestDrawAfter(wait_ms, 'feed');
  }

  /** Draw after `ms`. One timer is enough for each reason. @param {number} ms @param {'feed' | 'lanes'} reason */
  requestDrawAfter(ms, reason) {
    if (this.waiting.has(reason)) return;
    this.waiting.add(reason);
    this.clock.setTimeout(() => {
      this.waiting.delete(reason);
      this.requestDraw();
    }, ms);
  }

  /**
   * Let the parts that are due show the feed up to its head. `draw` calls this.
   * @param {number} feed_head @param {boolean} has_rows false: drawn without a pause
   * @param {number} now_ms
   */
  advance(feed_head, has_rows, now_ms) {
    this.head = feed_head;
    const behind = this.listBehind();
    const since_ms = now_ms - this.moved_at_ms;
    if (behind.length === 0 || since_ms < this.pace.getStep()) return;
    behind.sort((a, b) => a.head - b.head);
    if (since_ms < 2 * this.pace.getStep()) behind.length = 1;
    for (const part of behind) part.head = feed_head;
    if (has_rows) this.moved_at_ms = now_ms;
  }
}

/**
 * Redraw the timeline's lanes in turn, half of them at a time. A lane draws again when its
 * revision changes.
 * @param {Pace} pace @param {(ms: number) => void} requestDrawAfter
 */
export function createLaneTurns(pace, requestDrawAfter) {
  const revisions = new Array(LANE_TURNS).fill(0);
  let turn = 0;
  let moved_at_ms = 0;
  /** The number of turns that have something new to draw. */
  let behind = LANE_TURNS;
  return {
    /** @param {number} place of a lane, from the top */
    getRevision: (place) => revisions[place % LANE_TURNS],
    /** Draw all lanes in the next frame. */
    invalidate() {
      for (let each = 0; each < LANE_TURNS; each++) revisions[each] += 1;
    },
    /** Mark all lanes for one redraw, in turn. */
    addUpdate() {
      behind = LANE_TURNS;
    },
    /**
     * If the pause has passed, let the next half of the lanes redraw. Request a draw for
     * the other half. Return a key that changes with every turn.
     * @param {object} frame
     * @param {number} frame.now_ms
     * @param {number} frame.ms_per_px a lane is not redrawn before its bars move by a pixel
     * @param {boolean} frame.is_moving true while the timeline follows the clock
     * @param {boolean} frame.is_live true if time passes on the page
     * @param {boolean} frame.is_full true if other parts draw in this frame: the lanes wait
     */
    advance({ now_ms, ms_per_px, is_moving, is_live, is_full }) {
      const move_ms = Math.min(MAX_LANE_PAUSE_MS, ms_per_px) / LANE_TURNS;
      const pause_ms = Math.max(pace.getPause(), move_ms);
      const due_ms = moved_at_ms + pause_ms - now_ms;
      if (due_ms <= 0 && !is_full && (behind > 0 || is_moving)) {
        moved_at_ms = now_ms;
        revisions[turn] += 1;
        turn = (turn + 1) % LANE_TURNS;
        behind -= 1;
      }
      if (behind > 0 || (is_moving && is_live)) {
        requestDrawAfter(is_full ? pace.getStep() : Math.max(due_ms, 0) || pause_ms);
      }
      return revisions.join();
    },
  };
}
