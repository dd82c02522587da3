// @ts-check
// A lit-html directive that sets an element's style properties: `${styleVars({'--from': 3})}`.
// The CSP forbids style attributes, but allows this.

import { noChange } from '../vendor/lit-html/lit-html.js';
import { Directive, directive } from '../vendor/lit-html/directive.js';
/** @import { ElementPart } from '../vendor/lit-html/lit-html.js' */

class StyleVars extends Directive {
  /** @type {Record<string, string | number> | null} */
  last = null;

  /** @param {Record<string, string | number>} _values */
  render(_values) {
    return noChange;
  }

  /** @param {ElementPart} part @param {[Record<string, string | number>]} values */
  update(part, [values]) {
    const { style } = /** @type {HTMLElement} */ (part.element);
    for (const name in values) {
      if (this.last?.[name] !== values[name]) style.setProperty(name, String(values[name]));
    }
    this.last = values;
    return noChange;
  }
}

export const styleVars = directive(StyleVars);
