import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLEET_NAMES, withFleetNames } from './layout.ts';

test('fleets without security come in beside the names that the environment lists', () => {
  assert.equal(withFleetNames('smart-meter=lab-*'), `smart-meter=lab-* ${FLEET_NAMES}`);
  assert.equal(withFleetNames(''), FLEET_NAMES);
});
