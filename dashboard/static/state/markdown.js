// @ts-check
// Parse the small part of Markdown that agents write into plain data. Other markup stays
// text. view/artifact_parts.js renders it. Pure.

/**
 * @typedef {{ type: 'text' | 'code' | 'strong' | 'em', text: string }
 *   | { type: 'link', text: string, url: string }} Inline
 * @typedef {{ type: 'code', text: string }
 *   | { type: 'heading' | 'paragraph', inline: Inline[] }
 *   | { type: 'quote', blocks: Block[] }
 *   | { type: 'list', ordered: boolean, start: number, items: Block[][] }
 *   | { type: 'table', rows: Inline[][][] }
 *   | { type: 'rule' }} Block
 */

const FENCE = /^\s*(```|~~~)/;
const HEADING = /^#{1,6}\s+(.*?)#*\s*$/;
const RULE = /^\s*([-*_])(\s*\1){2,}\s*$/;
const QUOTE = /^\s{0,3}>\s?/;
const ITEM = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const TABLE_LINE = /^\s*\|.*\|\s*$/;
const TABLE_RULE = /^\s*\|(\s*:?-+:?\s*\|)+\s*$/;
const MAX_DEPTH = 6;

// No alternative looks past the next mark of its own kind, so no text makes it slow.
const INLINE =
  /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*|(?<!\w)_([^_]+)_(?!\w)|!?\[([^[\]]*)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"')\]]+)/g;

/** Guess whether a text without a media type is Markdown. @param {string} text */
export const looksLikeMarkdown = (text) =>
  /^\s*(```|#{1,6}\s|[-*+]\s|\d+[.)]\s|>\s|\|.*\|\s*$)|\*\*[^*\s][^*]*\*\*|\]\(https?:/m.test(text);

/** Return whether a link may be clickable. @param {string} url */
export const isLink = (url) => /^https?:\/\/[^\s]+$/i.test(url);

/** @param {string} text @param {number} [depth] @returns {Block[]} */
export function parseMarkdown(text, depth = 0) {
  const lines = text.split(/\r?\n/);
  /** @type {Block[]} */
  const blocks = [];
  let at = 0;

  /** Consume lines while they match. @param {(line: string) => boolean} matches */
  function takeWhile(matches) {
    const from = at;
    while (at < lines.length && matches(lines[at])) at += 1;
    return lines.slice(from, at);
  }

  while (at < lines.length) {
    const line = lines[at];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (line.trim() === '') {
      at += 1;
    } else if (fence) {
      at += 1;
      const code = takeWhile((next) => !next.trim().startsWith(fence[1]));
      at += 1;
      blocks.push({ type: 'code', text: code.join('\n') });
    } else if (heading) {
      at += 1;
      blocks.push({ type: 'heading', inline: parseInline(heading[1]) });
    } else if (RULE.test(line)) {
      at += 1;
      blocks.push({ type: 'rule' });
    } else if (QUOTE.test(line) && depth < MAX_DEPTH) {
      const inner = takeWhile((next) => QUOTE.test(next)).map((next) => next.replace(QUOTE, ''));
      blocks.push({ type: 'quote', blocks: parseMarkdown(inner.join('\n'), depth + 1) });
    } else if (ITEM.test(line) && depth < MAX_DEPTH) {
      blocks.push(parseList(takeWhile, line, depth));
    } else if (TABLE_LINE.test(line) && TABLE_RULE.test(lines[at + 1] ?? '')) {
      const rows = takeWhile((next) => TABLE_LINE.test(next)).filter((_, row) => row !== 1);
      blocks.push({ type: 'table', rows: rows.map(parseCells) });
    } else {
      at += 1;
      const more = takeWhile((next) => next.trim() !== '' && !startsBlock(next));
      blocks.push({ type: 'paragraph', inline: parseInline([line, ...more].join('\n')) });
    }
  }
  return blocks;
}

/** @param {string} line */
const startsBlock = (line) => [FENCE, HEADING, RULE, QUOTE, ITEM].some((mark) => mark.test(line));

/**
 * @param {(matches: (line: string) => boolean) => string[]} takeWhile
 * @param {string} first @param {number} depth @returns {Block}
 */
function parseList(takeWhile, first, depth) {
  const [, { length }, number] = /** @type {RegExpExecArray} */ (ITEM.exec(first));
  const ordered = number !== undefined;
  /** @type {string[][]} */
  const items = [];
  takeWhile((line) => {
    const item = ITEM.exec(line);
    if (item && item[1].length <= length && (item[2] !== undefined) === ordered) {
      items.push([item[3]]);
    } else if (items.length > 0 && /^\s{2,}\S/.test(line) && line.search(/\S/) > length) {
      items[items.length - 1].push(line.slice(Math.min(line.search(/\S/), length + 2)));
    } else return false;
    return true;
  });
  return {
    type: 'list',
    ordered,
    start: ordered ? Number(number) : 1,
    items: items.map((item) => parseMarkdown(item.join('\n'), depth + 1)),
  };
}

/** @param {string} line */
const parseCells = (line) =>
  line
    .trim()
    .slice(1, -1)
    .split('|')
    .map((cell) => parseInline(cell.trim()));

/** @param {string} text @returns {Inline[]} */
export function parseInline(text) {
  /** @type {Inline[]} */
  const found = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [all, code, strong, star, underscore, label, target, bare] = match;
    if (match.index > end) found.push({ type: 'text', text: text.slice(end, match.index) });
    end = match.index + all.length;
    const url = target ?? bare;
    const em = star ?? underscore;
    if (code !== undefined) found.push({ type: 'code', text: code });
    else if (strong !== undefined) found.push({ type: 'strong', text: strong });
    else if (em !== undefined) found.push({ type: 'em', text: em });
    else if (isLink(url)) found.push({ type: 'link', text: label || url, url });
    else found.push({ type: 'text', text: all });
  }
  if (end < text.length) found.push({ type: 'text', text: text.slice(end) });
  return found;
}
