// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { addChunk, toFile, toFileName, toImageUrl } from '../../../dashboard/static/state/artifacts.js';
import { chunk } from '../support/events.js';

/** @param {import('../../../dashboard/static/state/types.d.ts').ArtifactEvent[]} chunks */
function fold(...chunks) {
  const artifacts = new Map();
  for (const each of chunks) addChunk(artifacts, each);
  return artifacts;
}

test('chunks are joined in order, up to the last chunk', () => {
  const first = chunk(1, { parts: [{ text: 'Once ' }] });
  const rest = chunk(2, { parts: [{ text: 'upon' }, { data: { page: 2 } }], append: true, last_chunk: true });
  assert.equal(fold(first).get('a1')?.is_complete, false);
  const { parts, is_complete } = fold(first, rest).get('a1');
  assert.deepEqual(parts, [{ text: 'Once upon' }, { data: { page: 2 } }]);
  assert.equal(is_complete, true);
  assert.deepEqual(first.parts, [{ text: 'Once ' }], 'the event is unchanged');
});

test('a chunk without append replaces the artifact', () => {
  const again = chunk(2, { parts: [{ text: 'Another' }] });
  const { parts, version } = fold(chunk(1), again).get('a1');
  assert.deepEqual(parts, [{ text: 'Another' }]);
  assert.equal(version, 2);
});

test('artifacts with different ids stay separate, and so do texts of different types', () => {
  const artifacts = fold(
    chunk(1),
    chunk(2, { artifact_id: 'a2' }),
    chunk(3, { append: true, parts: [{ text: '# b', mediaType: 'text/markdown' }] }),
  );
  assert.equal(artifacts.size, 2);
  assert.equal(artifacts.get('a1').parts.length, 2);
});

test('an image URL needs an image type and valid base64', () => {
  assert.equal(toImageUrl({ raw: 'aGk_-w', mediaType: 'image/png' }), 'data:image/png;base64,aGk/+w');
  assert.equal(toImageUrl({ raw: 'aGk=', mediaType: 'text/html' }), null);
  assert.equal(toImageUrl({ raw: 'aGk=,<svg onload>', mediaType: 'image/png' }), null);
  assert.equal(toImageUrl({ raw: 'aGk=', mediaType: 'image/png;x="' }), null);
  assert.equal(toImageUrl({ url: 'https://example.org/a.png', mediaType: 'image/png' }), null);
});

test('a file name has no path and no control characters', () => {
  assert.equal(toFileName('../../.bashrc', '', ''), '_.._.bashrc');
  assert.equal(toFileName('C:\\con\u202Egnp.exe', '', ''), 'C__congnp.exe');
  assert.equal(toFileName('a\u0000\nb.txt', '', ''), 'ab.txt');
  assert.equal(toFileName(undefined, 'result', 'text/markdown; charset=utf-8'), 'result.md');
  assert.equal(toFileName(undefined, 'result.json', 'application/json'), 'result.json');
  assert.equal(toFileName('...', 'x', 'image/png'), 'artifact.png');
  assert.equal(toFileName('a'.repeat(300), '', '').length, 100);
});

test('each kind of part becomes a file with its content', () => {
  assert.deepEqual(toFile({ text: 'hi' }, 'a'), { name: 'a.txt', content: 'hi' });
  assert.deepEqual(toFile({ data: [1] }, 'a'), { name: 'a.json', content: '[\n  1\n]' });
  const raw = toFile({ raw: 'aGk=', filename: 'hi.bin' }, 'a');
  assert.deepEqual(raw, { name: 'hi.bin', content: new Uint8Array([104, 105]) });
  assert.equal(toFile({ url: 'https://example.org' }, 'a'), null);
});
