// @ts-check
import assert from 'node:assert/strict';
import test from 'node:test';

import { addChunk, fileName, fileOf, pictureOf } from '../../../dashboard/static/state/artifacts.js';
import { chunk } from '../support/events.js';

/** @param {import('../../../dashboard/static/state/types.d.ts').ArtifactEvent[]} chunks */
function made(...chunks) {
  const artifacts = new Map();
  for (const each of chunks) addChunk(artifacts, each);
  return artifacts;
}

test('chunks become one text, in their order, until the agent says that it is whole', () => {
  const first = chunk(1, { parts: [{ text: 'Once ' }] });
  const rest = chunk(2, { parts: [{ text: 'upon' }, { data: { page: 2 } }], append: true, last_chunk: true });
  assert.equal(made(first).get('a1')?.isWhole, false);
  const { parts, isWhole } = made(first, rest).get('a1');
  assert.deepEqual(parts, [{ text: 'Once upon' }, { data: { page: 2 } }]);
  assert.equal(isWhole, true);
  assert.deepEqual(first.parts, [{ text: 'Once ' }], 'the event is as it was');
});

test('without append an artifact begins anew', () => {
  const again = chunk(2, { parts: [{ text: 'Another' }] });
  const { parts, version } = made(chunk(1), again).get('a1');
  assert.deepEqual(parts, [{ text: 'Another' }]);
  assert.equal(version, 2);
});

test('artifacts with different ids stay apart, and so do texts of different types', () => {
  const artifacts = made(
    chunk(1),
    chunk(2, { artifact_id: 'a2' }),
    chunk(3, { append: true, parts: [{ text: '# b', mediaType: 'text/markdown' }] }),
  );
  assert.equal(artifacts.size, 2);
  assert.equal(artifacts.get('a1').parts.length, 2);
});

test('a picture is shown only where its type is one and its bytes are base64', () => {
  assert.equal(pictureOf({ raw: 'aGk_-w', mediaType: 'image/png' }), 'data:image/png;base64,aGk/+w');
  assert.equal(pictureOf({ raw: 'aGk=', mediaType: 'text/html' }), null);
  assert.equal(pictureOf({ raw: 'aGk=,<svg onload>', mediaType: 'image/png' }), null);
  assert.equal(pictureOf({ raw: 'aGk=', mediaType: 'image/png;x="' }), null);
  assert.equal(pictureOf({ url: 'https://example.org/a.png', mediaType: 'image/png' }), null);
});

test('a file gets a name that is nothing but a name', () => {
  assert.equal(fileName('../../.bashrc', '', ''), '_.._.bashrc');
  assert.equal(fileName('C:\\con\u202Egnp.exe', '', ''), 'C__congnp.exe');
  assert.equal(fileName('a\u0000\nb.txt', '', ''), 'ab.txt');
  assert.equal(fileName(undefined, 'result', 'text/markdown; charset=utf-8'), 'result.md');
  assert.equal(fileName(undefined, 'result.json', 'application/json'), 'result.json');
  assert.equal(fileName('...', 'x', 'image/png'), 'artifact.png');
  assert.equal(fileName('a'.repeat(300), '', '').length, 100);
});

test('each kind of part is a file with what was in it', () => {
  assert.deepEqual(fileOf({ text: 'hi' }, 'a'), { name: 'a.txt', content: 'hi' });
  assert.deepEqual(fileOf({ data: [1] }, 'a'), { name: 'a.json', content: '[\n  1\n]' });
  const raw = fileOf({ raw: 'aGk=', filename: 'hi.bin' }, 'a');
  assert.deepEqual(raw, { name: 'hi.bin', content: new Uint8Array([104, 105]) });
  assert.equal(fileOf({ url: 'https://example.org' }, 'a'), null);
});
