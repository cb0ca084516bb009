import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSefleetError } from '@sefleet/errors';
import fc from 'fast-check';
import { RETRY_DEFAULT } from '../accounts/accounts.ts';
import { decodeLinks, encodeLinks, linkPath } from '../content/links.ts';
import { Lwm2mPath } from '../model/path.ts';
import { registrationStep } from './registration-machine.ts';
import type { RegistrationInput, RegistrationState } from './registration-machine.ts';
import { parseRegistration, parseRegistrationUpdate, registrationQueries } from './registration-request.ts';
import { afterFailure, updateAfterSeconds } from './retry-plan.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a registration request', () => {
  it('is read as independent clients write it', () => {
    const request = parseRegistration(
      ['lwm2m=1.1', 'ep=node', 'b=U', 'Q', 'lt=86400', 'sms=4711', 'vendor=x'],
      utf8('</lwm2m>;rt="oma.lwm2m";ct="112 110",</lwm2m/1/0>,</lwm2m/3>;ver=1.1,</lwm2m/3/0>,</other>'),
    );
    assert.equal(request.endpoint, 'node');
    assert.equal(request.queueMode, true);
    assert.equal(request.smsNumber, '4711');
    assert.equal(request.rootPath, '/lwm2m');
    assert.deepEqual(request.contentFormats, [112, 110]);
    assert.deepEqual(
      request.objects.map((object) => [object.path.toString(), object.version]),
      [
        ['/1/0', undefined],
        ['/3', '1.1'],
        ['/3/0', undefined],
      ],
    );
  });

  it('is read as LwM2M 1.0 writes it', () => {
    const request = parseRegistration(['ep=old', 'lwm2m=1.0', 'b=UQ'], utf8('</1/1>,</3/0>;ver="1.0"'));
    assert.deepEqual([request.binding, request.queueMode, request.lifetimeSeconds], ['U', true, 86_400]);
  });

  it('is refused when it makes no sense', () => {
    const bad: [string[], string][] = [
      [['ep=a', 'lwm2m=3.0'], '</3/0>'],
      [['ep=a', 'ep=b'], '</3/0>'],
      [['ep='], '</3/0>'],
      [[`ep=${'x'.repeat(256)}`], '</3/0>'],
      [['ep=a', 'lt=-1'], '</3/0>'],
      [['ep=a', 'lt=99999999999'], '</3/0>'],
      [['ep=a', 'b=XYZ'], '</3/0>'],
      [['ep=a'], ''],
      [['ep=a'], '</3/0'],
      [['ep=a'], '</3/0>;='],
    ];
    for (const [queries, links] of bad) {
      assert.throws(() => parseRegistration(queries, utf8(links)), { code: 'LWM2M_BAD_REQUEST' });
    }
  });

  it('writes what it reads', () => {
    const given = { endpoint: 'a b', lifetimeSeconds: 60, version: '1.1', binding: 'UT', queueMode: true };
    const read = parseRegistration(registrationQueries(given), utf8('</3/0>'));
    for (const [name, value] of Object.entries(given)) assert.equal(Reflect.get(read, name), value);
    assert.deepEqual(parseRegistrationUpdate(['lt=30'], new Uint8Array()), { lifetimeSeconds: 30 });
  });
});

describe('link format', () => {
  it('gives back what went in', () => {
    const text = '</>;rt="oma.lwm2m";ct="110 112",</3/0/7>;dim=2;pmin=10;gt=-1.5,</x>;title="a\\"b\\\\c";obs';
    assert.equal(Buffer.from(encodeLinks(decodeLinks(utf8(text)))).toString(), text);
  });

  it('tells the prefix of a gateway’s end device', () => {
    const [link] = decodeLinks(utf8('</sensor-7/3303/0>'));
    assert.ok(link);
    assert.deepEqual(linkPath(link), { path: Lwm2mPath.parse('/3303/0'), prefix: 'sensor-7' });
  });

  it('throws nothing but its own error', () => {
    const alphabet = fc.constantFrom('<', '>', ';', '=', '"', ',', '/', '3', 'a', ' ', '\\');
    fc.assert(
      fc.property(fc.string({ unit: alphabet, maxLength: 40 }), (text) => {
        try {
          for (const link of decodeLinks(utf8(text))) linkPath(link);
        } catch (error) {
          if (!isSefleetError(error, 'LWM2M_CONTENT_INVALID')) throw error;
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('retries', () => {
  it('double within a sequence and end after the last', () => {
    const retry = { count: 3, timerSeconds: 60, sequenceDelaySeconds: 3600, sequenceCount: 2 };
    const steps = [1, 2, 3, 4, 5, 6].map((failures) => afterFailure(failures, retry));
    assert.deepEqual(
      steps.map((step) => (step.kind === 'retry' ? step.afterSeconds : step.kind)),
      [60, 120, 3600, 60, 120, 'exhausted'],
    );
    assert.equal(afterFailure(5, RETRY_DEFAULT).kind, 'exhausted');
  });

  it('update before the lifetime ends', () => {
    assert.equal(updateAfterSeconds(86_400, 93), 86_307);
    assert.equal(updateAfterSeconds(60, 93), 30);
    assert.equal(updateAfterSeconds(0, 93), undefined);
  });
});

it('the registration machine never updates what is not registered, and can always be stopped', () => {
  const inputs: RegistrationInput[] = [
    'start',
    'accepted',
    'unreachable',
    'refused',
    'forgotten',
    'due',
    'elapsed',
    'exhausted',
    'disable',
    'stop',
    'done',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...inputs), { maxLength: 60 }), (events) => {
      let state: RegistrationState = 'idle';
      let accepted = false;
      for (const event of events) {
        const step = registrationStep(state, event);
        if (step === undefined) continue;
        if (event === 'accepted') accepted = true;
        if (step.effect === 'update') assert.ok(accepted);
        if (step.effect === 'register') accepted = false;
        state = step.next;
      }
      for (const event of ['stop', 'done'] as const) state = registrationStep(state, event)?.next ?? state;
      assert.equal(state, 'idle');
    }),
  );
});
