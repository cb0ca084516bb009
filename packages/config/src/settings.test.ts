import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import {
  booleanSetting,
  choiceSetting,
  describeSettings,
  integerSetting,
  portSetting,
  readSettings,
  textSetting,
} from './index.ts';

const definitions = {
  port: portSetting({ env: 'T_PORT', doc: 'port of the server', default: 5684 }),
  level: choiceSetting({ env: 'T_LEVEL', doc: 'log level', choices: ['info', 'debug'], default: 'info' }),
  token: textSetting({ env: 'T_TOKEN', doc: 'token', secret: true, pattern: /^[a-z]+$/ }),
  fast: booleanSetting({ env: 'T_FAST', doc: 'speed', default: false }),
  count: integerSetting({ env: 'T_COUNT', doc: 'count', min: 1, max: 9, default: 3 }),
};

test('takes defaults for what is unset and parses what is set', () => {
  const values = readSettings(definitions, { T_TOKEN: 'abc', T_FAST: 'on', T_COUNT: '' });
  assert.deepEqual(values, { port: 5684, level: 'info', token: 'abc', fast: true, count: 3 });
});

test('names every wrong setting at once and masks secrets', () => {
  assert.throws(
    () => readSettings(definitions, { T_PORT: '70000', T_LEVEL: 'loud', T_TOKEN: 'S3cret', T_COUNT: '1.5' }),
    (error) => {
      assert.ok(isSefleetError(error, 'CONFIG_INVALID'));
      assert.match(error.message, /T_PORT="70000" is not a whole number in 0\.\.65535/);
      assert.match(error.message, /T_LEVEL/);
      assert.match(error.message, /T_COUNT/);
      assert.doesNotMatch(error.message, /S3cret/);
      return true;
    },
  );
});

test('reports a missing setting that has no default', () => {
  assert.throws(() => readSettings(definitions, {}), /T_TOKEN is not set/);
});

test('describes values with secrets masked', () => {
  const values = readSettings(definitions, { T_TOKEN: 'abc' });
  assert.equal(describeSettings(definitions, values)['token'], '***');
});
