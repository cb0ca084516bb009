import type { ContentFormat } from '@sefleet/lwm2m';

/** One LwM2M operation that any device can be asked for, as plain JSON, so that it can wait in a store. */
export type Operation =
  | { readonly kind: 'read'; readonly path: string }
  | {
      readonly kind: 'write';
      readonly path: string;
      readonly senmlJson: string;
      readonly partial: boolean;
      /** On the wire; without it the server chooses. */
      readonly contentFormat?: ContentFormat;
    }
  | { readonly kind: 'execute'; readonly path: string; readonly args: string }
  /** The image as base64. */
  | { readonly kind: 'firmware'; readonly image: string; readonly pull: boolean }
  | { readonly kind: 'bootstrap' }
  | { readonly kind: 'discover'; readonly path: string }
  | { readonly kind: 'create'; readonly path: string; readonly senmlJson: string }
  | { readonly kind: 'delete'; readonly path: string }
  | {
      readonly kind: 'attributes';
      readonly path: string;
      /** By name; null removes one. */
      readonly attributes: Readonly<Record<string, string | null>>;
    }
  | { readonly kind: 'observe'; readonly paths: readonly string[] }
  | { readonly kind: 'readComposite'; readonly paths: readonly string[] }
  | { readonly kind: 'writeComposite'; readonly senmlJson: string };

/** Made twice, these do something twice. */
const ONCE_ONLY: ReadonlySet<Operation['kind']> = new Set(['execute', 'create', 'bootstrap']);

/** True when an operation of which nobody knows whether it was made may be made again. */
export function isRepeatable({ kind }: Operation): boolean {
  return !ONCE_ONLY.has(kind);
}
