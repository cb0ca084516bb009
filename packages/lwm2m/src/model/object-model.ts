import type { ResourceType } from './value.ts';

/** What servers may do with a resource (the DDF's Operations). Resources of Security have none. */
export interface ResourceOperations {
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
}

/** The definition of a resource. */
export interface ResourceModel {
  readonly id: number;
  readonly name: string;
  readonly type: ResourceType;
  readonly operations: ResourceOperations;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  readonly units?: string;
  /** Inclusive bounds of a number, when the definition has them. */
  readonly range?: { readonly min: number; readonly max: number };
}

/** The definition of an object. */
export interface ObjectModel {
  readonly id: number;
  readonly name: string;
  /** The object's version, such as `1.1`. */
  readonly version: string;
  readonly multiple: boolean;
  readonly mandatory: boolean;
  readonly resources: ReadonlyMap<number, ResourceModel>;
}

/** `R`, `W`, `E` and their combinations, as DDF files write them. */
export function parseOperations(text: string): ResourceOperations {
  return OPERATIONS[operationBits(text)] ?? NO_OPERATIONS;
}

function operationBits(text: string): number {
  return (text.includes('R') ? 1 : 0) | (text.includes('W') ? 2 : 0) | (text.includes('E') ? 4 : 0);
}

/** The eight combinations exist once; thousands of resource models point to them. */
const OPERATIONS: readonly ResourceOperations[] = Array.from({ length: 8 }, (_, bits) =>
  Object.freeze({ read: (bits & 1) !== 0, write: (bits & 2) !== 0, execute: (bits & 4) !== 0 }),
);
const NO_OPERATIONS: ResourceOperations = Object.freeze({ read: false, write: false, execute: false });
