// @ts-check
// Owns the timeline: a lane for each agent, a bar for each task, now; what a bar is when
// it is pointed at. Its geometry is timeline.js, its moves are travel.js.

import { html, nothing } from '../vendor/lit-html/lit-html.js';
import { guard } from '../vendor/lit-html/directives/guard.js';
import { repeat } from '../vendor/lit-html/directives/repeat.js';
import { followedAgents, isFiltering } from '../state/selectors.js';
import { clockTime, plural, rowTime, took } from '../state/format.js';
import { isFailed, isOpen } from '../state/store.js';
import {
  MIN_PX,
  countsOf,
  endOf,
  frameOf,
  idOf,
  marksOf,
  paintOf,
  sharesOf,
  startOf,
  xOf,
} from './lanes.js';
import { agentTitle, shortId, statusLabel } from '../state/labels.js';
import { icon } from '../view/icons.js';
import { clip, status } from '../view/components.js';
import { listenTo } from './gestures.js';
import { vars } from '../view/style_vars.js';

/**
 * @typedef {import('../page.js').Page} Page
 * @typedef {import('./lanes.js').Item} Item
 * @typedef {import('./lanes.js').Span} Span
 * @typedef {import('../state/types.d.ts').Agent} Agent
 * @typedef {ReturnType<typeof frameOf>} Frame
 */

/** Rows that all lanes share, and what one has at least and at most. */
const ROWS = 20;
const MIN_ROWS = 2;
const MAX_ROWS = 6;
const MARK_PX = 90;
/** Narrower bars have no room for an icon, or for words. */
const ICON_PX = 26;
const WORDS_PX = 90;

/** @param {number} value */
const px = (value) => `${value.toFixed(1)}px`;

/** @param {Page} page */
export function timeline(page) {
  const { state, ui, travel, host_now_ms, now_ms } = page;
  const { agents, failed, task } = ui.filter;
  const filter = [...agents, failed, task].join();
  const stamp = travel.settle(host_now_ms, now_ms, page.full);
  return guard([stamp, filter, state.link.phase, travel.loading], () => draw(page, filter));
}

/** @param {Page} page @param {string} filter */
function draw(page, filter) {
  const { state, ui, travel, host_now_ms } = page;
  const agents = [...state.agents.values()].filter(({ name }) =>
    ui.filter.agents.size > 0
      ? ui.filter.agents.has(name)
      : travel.lanes.has(name) || followedAgents(state).some((agent) => agent.name === name),
  );
  const max_rows = Math.min(MAX_ROWS, Math.max(MIN_ROWS, Math.floor(ROWS / agents.length)));
  const frame = frameOf(travel);
  const zero = xOf(travel, frame.base);
  const strip = vars({ transform: `translateX(${px(zero)})` });
  // As far as an open task has come, or as may be seen of it.
  const length = px(xOf(travel, Math.min(host_now_ms, frame.to)) - zero);
  const first = xOf(travel, travel.from_ms);
  const known = px(Math.max(0, Math.min(travel.width, first)));
  const shown = agents.map(({ name }, place) => travel.laneOf(name, place, max_rows));
  travel.shown = new Map(agents.map(({ name }, place) => [name, shown[place]]));
  return html`${tools(page)}
    <div
      class="lanes"
      id="lanes"
      tabindex="0"
      role="group"
      aria-label="Timeline. Arrow keys walk through the tasks, plus and minus zoom."
      ${listenTo(page)}
    >
      <div class="sheet">
        ${ruler(page, frame.base, strip)}
        ${repeat(
          agents,
          ({ name }) => name,
          (agent, at) => lane(page, agent, shown[at], { strip, frame, length, filter }),
        )}
        <div class="over">
          ${travel.more ? html`<i class="unknown" ${vars({ '--w': known })}></i>` : nothing}
          <i class="now" ${vars({ '--x': px(xOf(travel, host_now_ms)) })}></i>
        </div>
        ${tip(page)}
      </div>
    </div>`;
}

/** @param {Page} page */
function tools({ state, travel }) {
  return html`<div class="tools">
    <button aria-label="Zoom in" title="Zoom in (+, or Ctrl and the wheel)" @click=${() => travel.zoom(1 / 2)}>
      ${icon('plus')}
    </button>
    <button aria-label="Zoom out" title="Zoom out (−, or Ctrl and the wheel)" @click=${() => travel.zoom(2)}>
      ${icon('less')}
    </button>
    <button title="All that is loaded (0)" @click=${travel.fit}>Fit</button>
    ${state.link.phase === 'recording'
      ? nothing
      : html`<button
          aria-pressed=${travel.follow}
          title="Keep now in sight (End)"
          @click=${travel.toggleFollow}
        >
          Follow
        </button>`}
    <span class="scale">${took(travel.width * travel.ms_per_px)} across</span>
    <span class="loaded" role="status">${loaded(travel)}</span>
  </div>`;
}

/** @param {import('./viewport.js').Travel} travel */
function loaded(travel) {
  const count = plural(travel.spans.size, 'task');
  if (travel.loading === 'loading') return `${count} · loading older ones…`;
  if (travel.loading === 'failed') {
    return html`The host did not give the older tasks.
      <button @click=${travel.load}>Try again</button>`;
  }
  return travel.more ? `${count} loaded` : count;
}

/** @param {Page} page @param {number} base @param {unknown} strip */
function ruler({ travel, host_now_ms }, base, strip) {
  const { step, marks } = marksOf(travel, MARK_PX);
  return html`<div class="ruler" aria-hidden="true">
    <div class="strip" ${strip}>
      ${marks.map(
        (ms) =>
          html`<time ${vars({ '--x': px((ms - base) / travel.ms_per_px) })}
            >${markText(ms, step, host_now_ms)}</time
          >`,
      )}
    </div>
  </div>`;
}

/** @param {number} ms @param {number} step @param {number} now_ms */
function markText(ms, step, now_ms) {
  const text = rowTime(new Date(ms).toISOString(), now_ms);
  if (step >= 86_400_000) return text.slice(0, 6);
  if (text.length === 12 && text[2] === ' ') return text;
  return step < 1_000 ? text : step < 60_000 ? text.slice(0, 8) : text.slice(0, 5);
}

/**
 * Its bars are drawn anew when it is its turn, and move with the others.
 * @param {Page} page @param {Agent} agent @param {import('./viewport.js').Shown} shown
 * @param {{ strip: unknown, frame: Frame, length: string, filter: string }} at
 */
function lane(page, agent, { key, items, rows }, { strip, frame, length, filter }) {
  const title = agentTitle(agent, agent.name);
  return html`<section class="lane" data-agent=${agent.name} aria-label=${title}>
    <h3><i class="swatch" data-hue=${agent.index % 8}></i><span>${title}</span></h3>
    <div class="track" ${vars({ '--rows': rows })}>
      <div class="strip" ${strip}>
        ${guard(
          [key, frame.base, filter],
          () => html`<div class="bars" ${vars({ 'inline-size': length })}>
            ${repeat(items, idOf, (item) => bar(page, item, frame))}
          </div>`,
        )}
      </div>
    </div>
  </section>`;
}

/** @param {Page} page @param {Item} item @param {Frame} frame */
function bar(page, item, frame) {
  const { travel, ui, host_now_ms } = page;
  const [span] = item.spans;
  const single = item.kind === 'task';
  // It may have ended since it was packed.
  const end = single ? endOf(span) : item.to;
  const open = end === Infinity;
  const from = Math.max(item.from, frame.from);
  const to = Math.max(from, Math.min(end, Math.max(host_now_ms, item.from), frame.to));
  const left = (from - frame.base) / travel.ms_per_px;
  const width = Math.max(MIN_PX, (to - from) / travel.ms_per_px);
  const dim = isFiltering(ui.filter) && item.spans.every((each) => !wanted(page, each));
  const has = { icon: single && width >= ICON_PX, words: single && width >= WORDS_PX };
  const seen = [item.spans.length, span.times.length, left, open ? -1 : width, item.row, dim];
  return guard([...seen, has.icon, has.words], () => {
    const [[tone]] = countsOf(item.spans);
    return html`<button
      class="item"
      tabindex="-1"
      data-item=${idOf(item)}
      data-kind=${item.kind}
      data-tone=${tone}
      ?data-dim=${dim}
      aria-label=${single ? nameOf(page, span) : inWords(item)}
      ${vars({
        'inset-block-start': `calc(${item.row} * var(--lane))`,
        'inset-inline-start': px(left),
        // To the end of its strip, which is now: nothing of its own moves.
        'inline-size': open ? `calc(100% - ${px(left)})` : px(width),
        'background-image': paint(item, from, travel.ms_per_px),
      })}
    >
      ${has.icon ? icon(statusLabel(tone).icon) : nothing}
      ${single
        ? has.words
          ? html`<span>${short(span)}</span>`
          : nothing
        : html`<span>${item.kind === 'more' ? '+' : ''}${item.spans.length}</span>`}
    </button>`;
  });
}

/** @param {Item} item @param {number} from @param {number} ms_per_px */
function paint({ kind, spans }, from, ms_per_px) {
  if (kind === 'more') return 'none';
  return kind === 'task' ? paintOf(spans[0], from, ms_per_px) : sharesOf(spans);
}

/** @param {Span} span */
const says = ({ row }) => row.result ?? row.message ?? '';

/** As much of it as a bar may show. @param {Span} span */
const short = (span) => says(span).slice(0, 80);

/** Those that the filter leaves out step back, so that what stays keeps its place. @param {Page} page @param {Span} span */
const wanted = ({ ui: { filter } }, { row, key }) =>
  (!filter.failed || isFailed(row)) && (filter.task === null || filter.task === key);

/** For a screen reader, which sees no bar. @param {Page} page @param {Span} span */
function nameOf({ state }, span) {
  const { row } = span;
  const title = agentTitle(state.agents.get(row.agent), row.agent);
  const words = [title, statusLabel(row.status).word, `from ${clockTime(startOf(span))}`];
  if (!isOpen(row)) words.push(`took ${took(endOf(span) - startOf(span))}`);
  words.push(plural(span.times.length, 'update'), shortId(row.task_id), short(span));
  return words.join(', ');
}

/** @param {Item} item */
function inWords({ spans }) {
  const counts = countsOf(spans);
  const each = counts.map(([status, count]) => `${count} ${statusLabel(status).word}`);
  return `${plural(spans.length, 'task')}: ${each.join(', ')}`;
}

/** What is pointed at, in words. @param {Page} page */
function tip({ travel, host_now_ms }) {
  const found = travel.tip && travel.find(travel.tip.id);
  if (!travel.tip || !found) return nothing;
  const { item } = found;
  const [span] = item.spans;
  const end = Math.min(endOf(span), host_now_ms);
  return html`<div
    class="tip"
    aria-hidden="true"
    ?data-up=${travel.tip.up}
    ${vars({ '--x': `${travel.tip.x}px`, '--y': `${travel.tip.y}px` })}
  >
    ${item.kind === 'task'
      ? html`<p>
            ${status(statusLabel(span.row.status), span.row.status)}
            <code>${shortId(span.row.task_id)}</code>
          </p>
          <p class="says">${clip(says(span))}</p>`
      : html`<p><b>${inWords(item)}</b></p>`}
    <p class="when">
      ${clockTime(item.from)}
      ${item.kind === 'task'
        ? `· ${took(end - item.from)} · ${plural(span.times.length, 'update')}`
        : '· Enter or click shows them apart'}
    </p>
  </div>`;
}
