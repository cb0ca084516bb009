export { SKIP_WITHOUT_POSTGRES, startPostgres } from './postgres-server.ts';
export type { TestPostgres } from './postgres-server.ts';
