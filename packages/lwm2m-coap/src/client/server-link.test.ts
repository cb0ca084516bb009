import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SecurityAccount } from '@sefleet/lwm2m';
import { ServerLink, type LinkOwner } from './server-link.ts';
import type { Lwm2mConnection } from './settings.ts';

test('a connection that stands only after the link was closed is closed, too', async () => {
  const connecting = Promise.withResolvers<Lwm2mConnection>();
  let closed = 0;
  // What a link asks of its owner before anything is said.
  const owner = {
    endpointName: 'meter',
    transport: { connect: () => connecting.promise },
    events: {},
  } as unknown as LinkOwner;
  const user = { handle: () => Promise.reject(new RangeError('unused')), lost: () => {} };
  const link = new ServerLink(owner, 1, user);
  // The transport is a double that looks at no account.
  const opening = link.open({} as SecurityAccount);
  await link.close();
  // As above.
  connecting.resolve({ close: () => Promise.resolve(void closed++) } as unknown as Lwm2mConnection);
  await assert.rejects(opening, { code: 'LWM2M_REGISTRATION_FAILED', message: /closed while/ });
  assert.equal(closed, 1);
});
