import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STANDARD_PROFILE } from '../profiles/standard-profile.ts';
import { STANDARD_APPLETS } from './standard-applets.ts';

test('every applet has a module of its own, and every module is in one load file of the profile', () => {
  const names = [...STANDARD_APPLETS.values()].map(({ name }) => name);
  assert.equal(new Set(names).size, 5);
  const modules = STANDARD_PROFILE.loadFiles.slice(1).flatMap((file) => file.modules);
  assert.deepEqual(modules.toSorted(), [...STANDARD_APPLETS.keys()].toSorted());
  const files = STANDARD_PROFILE.loadFiles.map(({ aid }) => aid);
  assert.equal(new Set(files).size, files.length);
});
