import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  connectivityText,
  DEFAULT_CONNECTIVITY,
  readConnectivity,
  toConnectivity,
  type Connectivity,
} from './connectivity.ts';

const anyConnectivity: fc.Arbitrary<Connectivity> = fc.record(
  {
    transport: fc.constantFrom('coaps', 'coaps+tcp', 'coap', 'coap+tcp'),
    credential: fc.constantFrom('psk', 'rpk', 'x509', 'none'),
    bootstrap: fc.constantFrom('network', 'smartcard', 'factory'),
    queueMode: fc.boolean(),
  },
  { noNullPrototype: true },
);

test('what is kept with a device is read again as it was', () => {
  fc.assert(
    fc.property(anyConnectivity, (connectivity) => {
      assert.deepEqual(readConnectivity(connectivityText(connectivity)), connectivity);
    }),
  );
  for (const text of ['', 'coaps', 'coaps psk', 'udp psk network', 'coaps key network', 'coaps psk air']) {
    assert.equal(readConnectivity(text), undefined, text);
  }
});

test('a credential that is left open is the usual one of the transport; another has to fit', () => {
  const usual = { coaps: 'psk', 'coaps+tcp': 'x509', coap: 'none', 'coap+tcp': 'none' } as const;
  fc.assert(
    fc.property(anyConnectivity, (connectivity) => {
      const { transport, credential } = connectivity;
      const open = toConnectivity({ ...connectivity, credential: undefined });
      assert.equal(open.credential, usual[transport]);
      const isPossible = credential === usual[transport] || (transport === 'coaps' && credential !== 'none');
      if (isPossible) assert.deepEqual(toConnectivity(connectivity), connectivity);
      else assert.throws(() => toConnectivity(connectivity), { code: 'SIM_PLAN_INVALID' });
    }),
  );
  assert.deepEqual(toConnectivity(DEFAULT_CONNECTIVITY), DEFAULT_CONNECTIVITY);
});
