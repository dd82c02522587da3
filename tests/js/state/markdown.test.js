// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { looksLikeMarkdown, parseInline, parseMarkdown } from '../../../dashboard/static/state/markdown.js';

/** @param {string} text */
const types = (text) => parseMarkdown(text).map(({ type }) => type);

test('Markdown becomes blocks', () => {
  const text = [
    '# Three slots',
    'Found **three**,',
    'in `calendar.ics`.',
    '',
    '- one',
    '- two',
    '  - deeper',
    '1) first',
    '> said so',
    '---',
    '| who | when |',
    '|-----|:----:|',
    '| Kim | 18:30 |',
    '```python',
    '# no heading',
    '',
    'print(1)',
    '```',
    'The end',
  ].join('\n');
  assert.deepEqual(types(text), [
    'heading',
    'paragraph',
    'list',
    'list',
    'quote',
    'rule',
    'table',
    'code',
    'paragraph',
  ]);
  const [, paragraph, list, , , , table, code] = parseMarkdown(text);
  assert.deepEqual(/** @type {any} */ (paragraph).inline, [
    { type: 'text', text: 'Found ' },
    { type: 'strong', text: 'three' },
    { type: 'text', text: ',\nin ' },
    { type: 'code', text: 'calendar.ics' },
    { type: 'text', text: '.' },
  ]);
  const items = /** @type {any} */ (list).items;
  assert.equal(items.length, 2);
  assert.deepEqual(items[1].map((/** @type {any} */ { type }) => type), ['paragraph', 'list']);
  assert.equal(/** @type {any} */ (table).rows.length, 2);
  assert.equal(/** @type {any} */ (code).text, '# no heading\n\nprint(1)');
});

test('only http URLs become links, and images become links too', () => {
  assert.deepEqual(parseInline('[a](https://example.org/b)'), [
    { type: 'link', text: 'a', url: 'https://example.org/b' },
  ]);
  assert.deepEqual(parseInline('![a](https://example.org/b.png)'), [
    { type: 'link', text: 'a', url: 'https://example.org/b.png' },
  ]);
  for (const target of ['javascript:alert', 'data:text/html,x', '//example.org', 'file:///etc']) {
    const text = `[a](${target})`;
    assert.deepEqual(parseInline(text), [{ type: 'text', text }]);
  }
});

test('HTML stays text', () => {
  const text = '<img src=x onerror=alert(1)><script>alert(1)</script>';
  assert.deepEqual(parseMarkdown(text), [
    { type: 'paragraph', inline: [{ type: 'text', text }] },
  ]);
});

test('unfinished Markdown is parsed as far as it goes', () => {
  for (const text of ['```js\nlet a', '**bold', '[a](htt', '- ', '> > > >', '| a |', '1. ', '']) {
    assert.doesNotThrow(() => parseMarkdown(text), text);
  }
  assert.deepEqual(types('```js\nlet a'), ['code']);
});

test('no text takes long to parse', () => {
  for (const mark of ['[', '`', '**', '*a', '_', '![](', '> ', '- ', '#', '| |\n', ' \n', '  - a\n', 'http://']) {
    const started = performance.now();
    const blocks = parseMarkdown(mark.repeat(20_000));
    assert.ok(performance.now() - started < 3_000, `${mark} takes too long`);
    assert.ok(blocks.length >= 0);
  }
});

test('a plain sentence is not Markdown', () => {
  assert.equal(looksLikeMarkdown('Found 3 slots * for 2 people_here.'), false);
  assert.equal(looksLikeMarkdown('18:30 - 20:00'), false);
  assert.equal(looksLikeMarkdown('# Slots\n\n- 18:30'), true);
  assert.equal(looksLikeMarkdown('It is **very** nice'), true);
});
