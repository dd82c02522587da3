// @ts-check
// Join an artifact's chunks, and turn its parts into image URLs and files. Pure.

/** @import { ArtifactEvent, Part } from './types.d.ts' */

/**
 * @typedef {object} Artifact
 * @property {string} id
 * @property {string} name
 * @property {Part[]} parts adjacent text parts are joined
 * @property {boolean} is_complete true after the last chunk
 * @property {number} version counts the chunks
 */

/** Image types in which a browser runs no script. */
const IMAGES = new Set(
  ['png', 'jpeg', 'gif', 'webp', 'avif', 'svg+xml'].map((type) => `image/${type}`),
);
/** Larger images are only files to download. In characters of base64. */
const MAX_IMAGE_CHARS = 4_000_000;
/** @type {Record<string, string>} */
const EXTENSIONS = {
  'application/json': '.json',
  'application/pdf': '.pdf',
  'text/markdown': '.md',
  'text/html': '.html',
  'text/csv': '.csv',
  'image/svg+xml': '.svg',
  'image/jpeg': '.jpg',
};
const MAX_NAME_CHARS = 100;

/** Fold one chunk. @param {Map<string, Artifact>} artifacts @param {ArtifactEvent} event */
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
    is_complete: event.last_chunk,
    version: (known?.version ?? 0) + 1,
  });
}

/** @param {Part} part */
const isText = (part) => part.text !== undefined && part.filename === undefined;

/** Convert URL-safe base64, which ProtoJSON allows, to the standard alphabet. @param {string} raw */
const toStandardBase64 = (raw) => raw.replaceAll('-', '+').replaceAll('_', '/');

/** Return a data URL for an `img`, or null if the part is no safe image. @param {Part} part */
export function toImageUrl({ raw, mediaType = '' }) {
  const type = mediaType.toLowerCase();
  if (!raw || raw.length > MAX_IMAGE_CHARS || !IMAGES.has(type)) return null;
  return /^[\w+/=-]+$/.test(raw) ? `data:${type};base64,${toStandardBase64(raw)}` : null;
}

/**
 * Return a part as a file, or null if the part is only a URL.
 * @param {Part} part @param {string} name the artifact's name
 */
export function toFile({ text, data, raw, mediaType, filename }, name) {
  if (text !== undefined) {
    return { name: toFileName(filename, name, mediaType ?? 'text/plain'), content: text };
  }
  if (data !== undefined) {
    const content = JSON.stringify(data, null, 2);
    return { name: toFileName(filename, name, 'application/json'), content };
  }
  if (raw === undefined) return null;
  return { name: toFileName(filename, name, mediaType ?? ''), content: decodeBase64(raw) };
}

/** @param {string} raw */
function decodeBase64(raw) {
  try {
    return Uint8Array.from(atob(toStandardBase64(raw)), (letter) => letter.charCodeAt(0));
  } catch {
    return raw;
  }
}

/**
 * Make a safe file name without folders from an agent's text.
 * @param {string | undefined} filename @param {string} fallback @param {string} type media type
 */
export function toFileName(filename, fallback, type) {
  const [bare] = type.toLowerCase().split(';');
  const [kind, subtype = ''] = bare.split('/');
  const extension =
    EXTENSIONS[bare] ?? (kind === 'text' ? '.txt' : /^[a-z0-9]{2,5}$/.test(subtype) ? `.${subtype}` : '');
  const name = (filename ?? fallback)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .replace(/[/\\:*?"<>|]/g, '_')
    .replace(/^[.\s]+|[.\s]+$/g, '')
    .slice(-MAX_NAME_CHARS);
  if (name === '') return `artifact${extension}`;
  return filename !== undefined || name.endsWith(extension) ? name : name + extension;
}
