// @ts-check
// Show the timeline: tools, the ruler, a lane per agent, a bar per task, and the tip.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { formatClock, formatDuration, formatRowTime, plural } from '../state/format.js';
import { agentTitle, shortId, statusLabel, taskText } from '../state/labels.js';
import { isFiltering, listAgents } from '../state/selectors.js';
import { isFailed, isOpen } from '../state/status.js';
import { clip, statusView, swatch } from '../view/components.js';
import { icon } from '../view/icons.js';
import { styleVars } from '../view/style_vars.js';
import { MIN_PX, endOf, idOf, startOf } from './lanes.js';
import { countStatuses, paintGroup, paintSpan } from './paint.js';
import { DAY, getFrame, listMarks, toX } from './scale.js';
/** @import { Page } from '../page.js' */
/** @import { Agent } from '../state/types.d.ts' */
/** @import { Item, Span } from './lanes.js' */
/** @import { VisibleLane } from './timeline.js' */

/** @typedef {{ base: number, from: number, to: number }} Frame */

/** Rows for all lanes together, and the limits for one lane. */
const ROWS = 20;
const MIN_ROWS = 2;
const MAX_ROWS = 6;
const MARK_PX = 90;
/** Narrower bars have no room for an icon, or for text. */
const ICON_PX = 26;
const TEXT_PX = 90;
const MAX_BAR_CHARS = 80;

/** @param {number} value */
const px = (value) => `${value.toFixed(1)}px`;

/** @param {Page} page */
export function timelineView(page) {
  const { state, ui, timeline, host_now_ms, now_ms } = page;
  const { agents, failed, task } = ui.filter;
  const filter = [...agents, failed, task].join();
  const key = timeline.update(host_now_ms, now_ms, page.is_frame_full);
  return guard([key, filter, state.link.phase, timeline.loading], () => lanesView(page, filter));
}

/** @param {Page} page @param {string} filter */
function lanesView(page, filter) {
  const { timeline, host_now_ms } = page;
  const agents = listLaneAgents(page);
  const max_rows = Math.min(MAX_ROWS, Math.max(MIN_ROWS, Math.floor(ROWS / agents.length)));
  const frame = getFrame(timeline);
  const zero = toX(timeline, frame.base);
  const strip = styleVars({ transform: `translateX(${px(zero)})` });
  // Up to now, or to the end of the frame.
  const length = px(toX(timeline, Math.min(host_now_ms, frame.to)) - zero);
  const loaded_x = Math.max(0, Math.min(timeline.width, toX(timeline, timeline.from_ms)));
  const lanes = agents.map(({ name }, place) => timeline.getLane(name, place, max_rows));
  timeline.visible = new Map(agents.map(({ name }, place) => [name, lanes[place]]));
  return html`${tools(page)}
    <div
      class="lanes"
      id="lanes"
      tabindex="0"
      role="group"
      aria-label="Timeline. Arrow keys move between tasks, plus and minus zoom."
    >
      <div class="sheet">
        ${ruler(page, frame.base, strip)}
        ${repeat(
          agents,
          ({ name }) => name,
          (agent, place) => laneView(page, agent, lanes[place], { strip, frame, length, filter }),
        )}
        <div class="over">
          ${timeline.has_older
            ? html`<i class="unknown" ${styleVars({ '--w': px(loaded_x) })}></i>`
            : nothing}
          <i class="now" ${styleVars({ '--x': px(toX(timeline, host_now_ms)) })}></i>
        </div>
        ${tipView(page)}
      </div>
    </div>`;
}

/** @param {Page} page */
function listLaneAgents({ state, ui, timeline }) {
  const chosen = ui.filter.agents;
  const followed = new Set(listAgents(state));
  return [...state.agents.values()].filter((agent) =>
    chosen.size > 0 ? chosen.has(agent.name) : timeline.lanes.has(agent.name) || followed.has(agent),
  );
}

/** @param {Page} page */
function tools({ state, timeline }) {
  return html`<div class="tools">
    <button aria-label="Zoom in" title="Zoom in (+, or Ctrl and the wheel)" @click=${() => timeline.zoom(1 / 2)}>
      ${icon('plus')}
    </button>
    <button aria-label="Zoom out" title="Zoom out (−, or Ctrl and the wheel)" @click=${() => timeline.zoom(2)}>
      ${icon('less')}
    </button>
    <button title="Show all loaded tasks (0)" @click=${() => timeline.fit()}>Fit</button>
    ${state.link.phase === 'recording'
      ? nothing
      : html`<button
          aria-pressed=${timeline.is_following}
          title="Keep the current time visible (End)"
          @click=${() => timeline.toggleFollow()}
        >
          Follow
        </button>`}
    <span class="scale">${formatDuration(timeline.width * timeline.ms_per_px)} across</span>
    <span class="loaded" role="status">${loadingText(timeline)}</span>
  </div>`;
}

/** @param {Page['timeline']} timeline */
function loadingText(timeline) {
  const count = plural(timeline.spans.size, 'task');
  if (timeline.loading === 'loading') return `${count} · loading older ones…`;
  if (timeline.loading === 'failed') {
    return html`Cannot load older tasks.
      <button @click=${() => timeline.load()}>Try again</button>`;
  }
  return timeline.has_older ? `${count} loaded` : count;
}

/** @param {Page} page @param {number} base @param {unknown} strip */
function ruler({ timeline, host_now_ms }, base, strip) {
  const { step, marks } = listMarks(timeline, MARK_PX);
  return html`<div class="ruler" aria-hidden="true">
    <div class="strip" ${strip}>
      ${marks.map(
        (ms) =>
          html`<time ${styleVars({ '--x': px((ms - base) / timeline.ms_per_px) })}
            >${formatMark(ms, step, host_now_ms)}</time
          >`,
      )}
    </div>
  </div>`;
}

/** @param {number} ms @param {number} step @param {number} now_ms */
function formatMark(ms, step, now_ms) {
  const text = formatRowTime(new Date(ms).toISOString(), now_ms);
  if (step >= DAY) return text.slice(0, 6);
  const has_date = text[2] === ' ';
  if (has_date || step < 1_000) return text;
  return text.slice(0, step < 60_000 ? 8 : 5);
}

/**
 * A lane. Its bars are drawn when the lane has its turn, and move with all others.
 * @param {Page} page @param {Agent} agent @param {VisibleLane} lane
 * @param {{ strip: unknown, frame: Frame, length: string, filter: string }} shared
 */
function laneView(page, agent, { key, items, rows }, { strip, frame, length, filter }) {
  const title = agentTitle(agent, agent.name);
  return html`<section class="lane" data-agent=${agent.name} aria-label=${title}>
    <h3>${swatch(agent)}<span>${title}</span></h3>
    <div class="track" ${styleVars({ '--rows': rows })}>
      <div class="strip" ${strip}>
        ${guard(
          [key, frame.base, filter],
          () => html`<div class="bars" ${styleVars({ 'inline-size': length })}>
            ${repeat(items, idOf, (item) => bar(page, item, frame))}
          </div>`,
        )}
      </div>
    </div>
  </section>`;
}

/** @param {Page} page @param {Item} item @param {Frame} frame */
function bar(page, item, frame) {
  const { timeline, ui, host_now_ms } = page;
  const [span] = item.spans;
  const is_task = item.kind === 'task';
  // The task may have ended since the lane was packed.
  const end = is_task ? endOf(span) : item.to;
  const is_open = end === Infinity;
  const from = Math.max(item.from, frame.from);
  const to = Math.max(from, Math.min(end, Math.max(host_now_ms, item.from), frame.to));
  const left = (from - frame.base) / timeline.ms_per_px;
  const width = Math.max(MIN_PX, (to - from) / timeline.ms_per_px);
  const is_dim = isFiltering(ui.filter) && !item.spans.some((each) => matches(page, each));
  const has_icon = is_task && width >= ICON_PX;
  const has_text = is_task && width >= TEXT_PX;
  const drawn = [
    item.spans.length,
    span.times.length,
    left,
    is_open ? -1 : width,
    item.row,
    is_dim,
    has_icon,
    has_text,
  ];
  return guard(drawn, () => {
    const [[tone]] = countStatuses(item.spans);
    const text = is_task ? taskText(span.row).slice(0, MAX_BAR_CHARS) : countText(item);
    return html`<button
      class="item"
      tabindex="-1"
      data-item=${idOf(item)}
      data-kind=${item.kind}
      data-tone=${tone}
      ?data-dim=${is_dim}
      aria-label=${is_task ? describeTask(page, span) : describeGroup(item)}
      ${styleVars({
        'inset-block-start': `calc(${item.row} * var(--lane))`,
        'inset-inline-start': px(left),
        // An open task grows with its strip, without a new drawing.
        'inline-size': is_open ? `calc(100% - ${px(left)})` : px(width),
        'background-image': paint(item, from, timeline.ms_per_px),
      })}
    >
      ${has_icon ? icon(statusLabel(tone).icon) : nothing}
      ${has_text || !is_task ? html`<span>${text}</span>` : nothing}
    </button>`;
  });
}

/** @param {Item} item */
const countText = ({ kind, spans }) => `${kind === 'more' ? '+' : ''}${spans.length}`;

/** @param {Item} item @param {number} from @param {number} ms_per_px */
function paint({ kind, spans }, from, ms_per_px) {
  if (kind === 'more') return 'none';
  return kind === 'task' ? paintSpan(spans[0], from, ms_per_px) : paintGroup(spans);
}

/** Bars that do not match are dimmed, so that the others keep their place. @param {Page} page @param {Span} span */
const matches = ({ ui: { filter } }, { row, key }) =>
  (!filter.failed || isFailed(row)) && (filter.task === null || filter.task === key);

/** @param {Page} page @param {Span} span */
function describeTask({ state }, span) {
  const { row } = span;
  const words = [
    agentTitle(state.agents.get(row.agent), row.agent),
    statusLabel(row.status).word,
    `from ${formatClock(startOf(span))}`,
  ];
  if (!isOpen(row)) words.push(`took ${formatDuration(endOf(span) - startOf(span))}`);
  words.push(plural(span.times.length, 'update'), shortId(row.task_id));
  words.push(taskText(row).slice(0, MAX_BAR_CHARS));
  return words.join(', ');
}

/** @param {Item} item */
function describeGroup({ spans }) {
  const counts = countStatuses(spans).map(([status, count]) => `${count} ${statusLabel(status).word}`);
  return `${plural(spans.length, 'task')}: ${counts.join(', ')}`;
}

/** @param {Page} page */
function tipView({ timeline, host_now_ms }) {
  const { tip } = timeline;
  const found = tip && timeline.findItem(tip.id);
  if (!tip || !found) return nothing;
  const { item } = found;
  const [span] = item.spans;
  const end = Math.min(endOf(span), host_now_ms);
  const is_task = item.kind === 'task';
  return html`<div
    class="tip"
    aria-hidden="true"
    ?data-up=${tip.up}
    ${styleVars({ '--x': `${tip.x}px`, '--y': `${tip.y}px` })}
  >
    ${is_task
      ? html`<p>${statusView(span.row.status)} <code>${shortId(span.row.task_id)}</code></p>
          <p class="says">${clip(taskText(span.row))}</p>`
      : html`<p><b>${describeGroup(item)}</b></p>`}
    <p class="when">
      ${formatClock(item.from)}
      ${is_task
        ? `· ${formatDuration(end - item.from)} · ${plural(span.times.length, 'update')}`
        : '· Click or press Enter to zoom in'}
    </p>
  </div>`;
}
