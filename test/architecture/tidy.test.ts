import assert from 'node:assert/strict';
import { existsSync, globSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { readSources } from './sources.ts';

const LINES_MAX = 400;
const COLUMNS_MAX = 110;
/** Names that hide a layer which nobody owns. */
const BANNED_NAMES = /^(utils?|common|helpers?|misc|shared|base|manager)(\.|$)/;
/** Generated from proto/, where the word is the area's name. */
const GENERATED = /\/gen\//;

const sources = readSources();

test('reads the sources', () => assert.ok(sources.length > 100, `${sources.length} files`));

test(`no file is longer than ${LINES_MAX} lines`, () => {
  const long = sources.filter(({ lines }) => lines.length > LINES_MAX + 1);
  assert.deepEqual(
    long.map(({ path, lines }) => `${path}: ${lines.length}`),
    [],
  );
});

/** Sentences for people and SQL stay in one piece, so that they can be searched for. */
const LONG_TEXT = /(['"`])(?:(?!\1).){60,}|^\s+[A-Z(].*(NOT NULL|VALUES|DEFAULT)/;

test(`no line is wider than ${COLUMNS_MAX} columns, long texts apart`, () => {
  const isWide = (line: string): boolean => line.length > COLUMNS_MAX && !LONG_TEXT.test(line);
  const wide = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) => (isWide(line) ? [`${path}:${i + 1}`] : [])),
  );
  assert.deepEqual(wide, []);
});

test('no bare Error is thrown', () => {
  const bare = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) =>
      /throw new Error\(|reject\(new Error\(/.test(line) ? [`${path}:${i + 1}`] : [],
    ),
  );
  assert.deepEqual(bare, []);
});

test('nothing is left for later', () => {
  const left = sources.flatMap(({ path, lines }) =>
    lines.flatMap((line, i) => (/\b(TODO|FIXME|XXX|HACK)\b/.test(line) ? [`${path}:${i + 1}`] : [])),
  );
  assert.deepEqual(left, []);
});

test('no file or folder has a name that says nothing', () => {
  const paths = globSync(['packages/*/src/**', 'services/*/src/**']).filter(
    (path) => !GENERATED.test(`${path}/`),
  );
  assert.deepEqual(
    paths.filter((path) => BANNED_NAMES.test(basename(path))),
    [],
  );
});

test('every room says what it is', () => {
  const rooms = globSync(['packages/*/package.json', 'services/*/package.json']).map((path) =>
    path.slice(0, -13),
  );
  assert.deepEqual(
    rooms.filter((room) => !existsSync(`${room}/README.md`)),
    [],
  );
});

test('every number a test could wait on is virtual: no test sleeps', () => {
  const sleeping = readSources({ tests: true })
    .filter(({ path }) => path.endsWith('.test.ts'))
    .flatMap(({ path, lines }) =>
      lines.flatMap((line, i) =>
        /setTimeout\(r(esolve)?, *[0-9]{3,}/.test(line) ? [`${path}:${i + 1}`] : [],
      ),
    );
  assert.deepEqual(sleeping, []);
});
