// @ts-check
// Owns what a task has made: chunks put together into artifacts as they come, and each
// part's way to a picture, a link or a file. The drawer draws them. Pure.

/**
 * @typedef {import('./types.d.ts').ArtifactEvent} ArtifactEvent
 * @typedef {import('./types.d.ts').Part} Part
 *
 * @typedef {object} Artifact
 * @property {string} id
 * @property {string} name
 * @property {Part[]} parts neighbouring texts joined
 * @property {boolean} isWhole the agent has said that nothing follows
 * @property {number} version grows with each chunk
 */

/** Pictures that a browser draws without running anything in them. */
const PICTURES = new Set(
  ['png', 'jpeg', 'gif', 'webp', 'avif', 'svg+xml'].map((type) => `image/${type}`),
);
/** More is a file to download. In characters of base64. */
const MAX_PICTURE = 4_000_000;
/** @type {Record<string, string>} */
const ENDINGS = {
  'application/json': '.json',
  'application/pdf': '.pdf',
  'text/markdown': '.md',
  'text/html': '.html',
  'text/csv': '.csv',
  'image/svg+xml': '.svg',
  'image/jpeg': '.jpg',
};
const MAX_NAME = 100;

/** Folds one chunk. @param {Map<string, Artifact>} artifacts @param {ArtifactEvent} event */
export function addChunk(artifacts, event) {
  const { artifact_id: id } = event;
  const known = artifacts.get(id);
  const parts = event.append && known ? known.parts : [];
  for (const part of event.parts) {
    const last = parts[parts.length - 1];
    if (isText(part) && last && isText(last) && last.mediaType === part.mediaType) {
      parts[parts.length - 1] = { ...last, text: `${last.text}${part.text}` };
    } else parts.push(part);
  }
  artifacts.set(id, {
    id,
    name: event.name || known?.name || id,
    parts,
    isWhole: event.last_chunk,
    version: (known?.version ?? 0) + 1,
  });
}

/** @param {Part} part */
const isText = (part) => part.text !== undefined && part.filename === undefined;

/** @param {string} raw as ProtoJSON has it: either alphabet, padded or not */
const plain = (raw) => raw.replaceAll('-', '+').replaceAll('_', '/');

/** What an `img` may show of a part, or null. @param {Part} part */
export function pictureOf({ raw, mediaType = '' }) {
  const type = mediaType.toLowerCase();
  if (!raw || raw.length > MAX_PICTURE || !PICTURES.has(type)) return null;
  return /^[\w+/=-]+$/.test(raw) ? `data:${type};base64,${plain(raw)}` : null;
}

/**
 * A part as a file: its name, and what is in it. Null where there is nothing but an
 * address.
 * @param {Part} part @param {string} name of the artifact
 */
export function fileOf(part, name) {
  const { text, data, raw, mediaType } = part;
  if (text !== undefined) {
    return { name: fileName(part.filename, name, mediaType ?? 'text/plain'), content: text };
  }
  if (data !== undefined) {
    const content = JSON.stringify(data, null, 2);
    return { name: fileName(part.filename, name, 'application/json'), content };
  }
  if (raw === undefined) return null;
  return { name: fileName(part.filename, name, mediaType ?? ''), content: bytes(raw) };
}

/** @param {string} raw */
function bytes(raw) {
  try {
    return Uint8Array.from(atob(plain(raw)), (letter) => letter.charCodeAt(0));
  } catch {
    return raw;
  }
}

/**
 * A name that is one in a folder and nothing else, whatever an agent calls its file.
 * @param {string | undefined} given @param {string} otherwise @param {string} type
 */
export function fileName(given, otherwise, type) {
  const [bare] = type.toLowerCase().split(';');
  const [kind, subtype = ''] = bare.split('/');
  const ending =
    ENDINGS[bare] ?? (kind === 'text' ? '.txt' : /^[a-z0-9]{2,5}$/.test(subtype) ? `.${subtype}` : '');
  const name = (given ?? otherwise)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[/\\:*?"<>|]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '')
    .slice(-MAX_NAME);
  if (name === '') return `artifact${ending}`;
  return given !== undefined || name.endsWith(ending) ? name : name + ending;
}
