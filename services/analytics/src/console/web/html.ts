import htm from 'htm';
import { h, type VNode } from 'preact';

/** Templates that make preact elements; tagged text in place of a build step. */
export const html = (htm as unknown as Htm).bind(h);

/**
 * What the module gives: its own declarations describe it as CommonJS, where the function stands one level
 * deeper.
 */
interface Htm {
  bind(create: typeof h): (strings: TemplateStringsArray, ...values: unknown[]) => VNode;
}
