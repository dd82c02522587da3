// @ts-check
// Owns one lit-html directive: `${vars({'--from': 3})}` on an element sets properties of
// its style from script, which the CSP allows where a style attribute is refused.

import { noChange } from '../vendor/lit-html/lit-html.js';
import { Directive, directive } from '../vendor/lit-html/directive.js';

class Vars extends Directive {
  /** @type {Record<string, string | number> | null} */
  last = null;

  /** @param {Record<string, string | number>} _values */
  render(_values) {
    return noChange;
  }

  /**
   * @param {import('../vendor/lit-html/lit-html.js').ElementPart} part
   * @param {[Record<string, string | number>]} values
   */
  update(part, [values]) {
    const { style } = /** @type {HTMLElement} */ (part.element);
    for (const name in values) {
      if (this.last?.[name] !== values[name]) style.setProperty(name, String(values[name]));
    }
    this.last = values;
    return noChange;
  }
}

export const vars = directive(Vars);
