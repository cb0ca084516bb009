declare module 'aedes-persistence-level' {
  import type { ClassicLevel } from 'classic-level';

  /** Sessions, subscriptions, retained and undelivered messages of an aedes broker, in a level database. */
  export default function createLevelPersistence(db: ClassicLevel): object;
}
