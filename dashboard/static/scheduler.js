// @ts-check
// Owns how often the list and the timeline follow a flood: less often where drawing them
// takes long, so that everything else stays smooth. main.js tells it of each frame. Pure.

/** Faster than this nobody reads the list; slower, and it no longer seems to move. */
const LEAST_MS = 100;
const MOST_MS = 400;
/** A frame at 60 a second, and a bit. */
const SMOOTH_MS = 20;
/** Of the time, such a frame may take this share. */
const SHARE = 1 / 12;
/** A slow frame is half forgotten after some ten. */
const FADE = 0.93;

export function createPace() {
  let slow_ms = 0;
  const pause_ms = () =>
    slow_ms < SMOOTH_MS ? LEAST_MS : Math.max(LEAST_MS, Math.round(slow_ms / SHARE));
  return {
    /** A frame in which something was drawn took so long. @param {number} frame_ms */
    note(frame_ms) {
      // A tab out of sight has frames that last for hours.
      slow_ms = Math.max(slow_ms * FADE, Math.min(frame_ms, MOST_MS * SHARE));
    },
    /** How long to wait between two drawings of one part. */
    pause_ms,
    /** The same between one part of the page and the next. */
    step_ms: () => pause_ms() / 2,
  };
}
