// @ts-check
// A browser for the tests of client/: EventSources that the test opens and breaks, and a
// clock that it moves.

export function fakeBrowser() {
  /** @type {any[]} */
  const sources = [];
  /** @type {{ run: () => void, at: number }[]} */
  let timers = [];
  let now = 0;

  class Source extends EventTarget {
    /** @param {string} url */
    constructor(url) {
      super();
      this.url = url;
      this.closed = false;
      this.lastEventId = '';
      /** @type {any} */
      this.onopen = this.onerror = this.onmessage = null;
      sources.push(this);
    }
    close() {
      this.closed = true;
    }
    /** Deliver a message. Without an id it has the last one. @param {any} data @param {string} [type] */
    emit(data, type = 'message') {
      if (data.id !== undefined) this.lastEventId = `k3f9-${data.id}`;
      const { lastEventId } = this;
      const event = new MessageEvent(type, { data: JSON.stringify(data), lastEventId });
      if (type === 'message') this.onmessage(event);
      else this.dispatchEvent(event);
    }
  }

  return {
    sources,
    EventSource: /** @type {any} */ (Source),
    /** @param {() => void} run @param {number} ms */
    setTimeout(run, ms) {
      const timer = { run, at: now + ms };
      timers.push(timer);
      return timer;
    },
    /** @param {any} timer */
    clearTimeout(timer) {
      timers = timers.filter((other) => other !== timer);
    },
    now: () => now,
    random: () => 1,
    /** @param {number} ms */
    pass(ms) {
      now += ms;
      const due = timers.filter((timer) => timer.at <= now);
      timers = timers.filter((timer) => timer.at > now);
      for (const timer of due) timer.run();
    },
  };
}
