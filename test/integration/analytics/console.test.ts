import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { common, management, provisioning } from '@sefleet/api';
import { recordTopic } from '@sefleet/cose';
import { SefleetError } from '@sefleet/errors';
import { serve, type ServedService } from '@sefleet/service';
import type { Browser, Page } from 'playwright-core';
import { AnalyticsProcess, sealed, until } from './analytics-process.ts';

const CHROMIUM = process.env['SEFLEET_TEST_CHROMIUM'] ?? '/usr/bin/chromium';
const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const skip = existsSync(CHROMIUM)
  ? false
  : `no Chromium at ${CHROMIUM}; install it or set SEFLEET_TEST_CHROMIUM`;

const endpoints = Array.from(
  { length: 60 },
  (_, at) => `urn:dev:sefleet:meter-${String(at + 1).padStart(6, '0')}`,
);
let analytics: AnalyticsProcess;

/** The LwM2M server and provisioning as far as the console asks them. */
function neighbours(): readonly ServedService[] {
  const kind = common.DeviceKind.SMART_METER;
  const registration = (endpoint: string): management.Registration =>
    create(management.RegistrationSchema, {
      endpoint,
      kind,
      objects: ['/3', '/3/0'],
      registeredAt: timestampFromMs(Date.now()),
    });
  const unasked = (): never => {
    throw new SefleetError('TEST_NOT_FOUND', 'caller', 'not asked by the console');
  };
  const others = Object.fromEntries(
    management.DeviceManagementService.methods.map(({ localName }) => [localName, unasked]),
  );
  const handlers = {
    ...others,
    getStatistics: () => ({ kinds: [{ kind, bootstrapped: 60n, registered: 60n }] }),
    getRegistration: ({ endpoint }: { endpoint: string }) => ({ registration: registration(endpoint) }),
    listRegistrations: ({ pageSize, pageToken, search }: management.ListRegistrationsRequest) => {
      const found = endpoints.filter((endpoint) => endpoint.includes(search));
      const first = Number(pageToken || 0);
      const next = first + pageSize;
      return {
        registrations: found.slice(first, next).map(registration),
        nextPageToken: next < found.length ? `${next}` : '',
        total: BigInt(found.length),
      };
    },
  };
  const domain = { aid: 'f05345464c', stakeholder: 'northern-power', lifeCycle: 'PERSONALIZED' };
  const rotation = { rotationId: 'r', stakeholder: 'supplier', total: 60n, confirmed: 30n };
  return [
    // Built from the service's own list of methods: every one is there.
    serve(
      management.DeviceManagementService,
      handlers as unknown as Parameters<typeof serve<typeof management.DeviceManagementService>>[1],
    ),
    serve(provisioning.RotationService, {
      startRotation: unasked,
      getRotation: unasked,
      listSecurityDomains: () => ({ securityDomains: [{ ...domain, keySets: [{ keyVersion: 49 }] }] }),
      getKeyStatistics: () => ({
        kinds: [{ kind, manufactured: 60n, rotated: 30n }],
        latestRotation: rotation,
      }),
    }),
  ];
}

before(async () => {
  analytics = await AnalyticsProcess.start({ neighbours: neighbours() });
  const { certificate, privateKey } = analytics.tls('lwm2m-server');
  const client = analytics.mqtt({ cert: certificate, key: privateKey });
  const endpoint = endpoints[0] ?? '';
  for (let sequence = 1; sequence <= 20; sequence++) {
    const payload = sealed({
      endpoint,
      sequence,
      values: [
        [1, 5000 + sequence],
        [2, 400 + (sequence % 7)],
      ],
    });
    await client.publishAsync(recordTopic({ kind: 'smart-meter', endpoint }), Buffer.from(payload), {
      qos: 1,
    });
  }
  await client.endAsync();
  await until('the readings', async () => {
    const { recordsStored } = await analytics.telemetryClient().getIngestStatistics({});
    return recordsStored === 20n ? true : undefined;
  });
});
after(() => analytics.stop());

test('leads from the counts to a device and its readings', { skip }, async () => {
  const { chromium } = await import('playwright-core');
  const browser: Browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_ARGUMENTS });
  try {
    const page: Page = await browser.newPage();
    const complaints: string[] = [];
    const foreign: string[] = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (sent) => {
      if (new URL(sent.url()).host !== `127.0.0.1:${analytics.ready.consolePort}`) foreign.push(sent.url());
    });
    await page.goto(`http://127.0.0.1:${analytics.ready.consolePort}/`);
    await page.getByText('50 % confirmed').waitFor();
    assert.equal(await page.locator('[data-field="registered"] dd').first().textContent(), '60');
    assert.equal(await page.locator('[data-field="stored"] dd').first().textContent(), '20');
    assert.match((await page.locator('.as-of').textContent()) ?? '', /^as of \d\d:\d\d:\d\d$/);

    await page.getByRole('link', { name: 'Devices' }).click();
    await page.getByText('1–50 of 60').waitFor();
    await page.getByRole('button', { name: 'Next' }).click();
    await page.getByText('51–60 of 60').waitFor();
    await page.getByRole('searchbox').fill('meter-000001');
    await page.getByText('1–1 of 1,').waitFor();
    await page.getByRole('link', { name: 'urn:dev:sefleet:meter-000001' }).click();

    await page.getByRole('heading', { name: 'urn:dev:sefleet:meter-000001' }).waitFor();
    await page.getByText('5,020').waitFor();
    await page.locator('.chart canvas').first().waitFor();
    assert.equal(await page.locator('.chart canvas').count(), 2);
    assert.match(
      (await page.locator('section', { hasText: 'Security Domains' }).textContent()) ?? '',
      /northern-power.*49/s,
    );
    assert.deepEqual(complaints, []);
    assert.deepEqual(foreign, []);
  } finally {
    await browser.close();
  }
});

/** The status that the console answers with. */
function statusOf(
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port: analytics.ready.consolePort ?? 0, path, ...options },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    sent.once('error', reject).end(options.method === 'POST' ? '{}' : undefined);
  });
}

test('answers neither foreign names, nor foreign origins, nor paths outside of the console', async () => {
  const port = analytics.ready.consolePort;
  const method = '/sefleet.fleet.v1.FleetService/GetFleetState';
  const json = { 'content-type': 'application/json' };
  assert.equal(await statusOf('/'), 200);
  assert.equal(await statusOf('/', { headers: { host: `evil.example:${port}` } }), 403);
  assert.equal(await statusOf(method, { method: 'POST', headers: json }), 200);
  assert.equal(
    await statusOf(method, { method: 'POST', headers: { ...json, origin: 'http://evil.example' } }),
    403,
  );
  assert.equal(
    await statusOf('/sefleet.fleet.v1.FleetService/StartRotation', { method: 'POST', headers: json }),
    501,
  );
  for (const path of ['/app/../../main.ts', '/app/%2e%2e/main.ts', '/modules/x', '/etc/passwd']) {
    assert.equal(await statusOf(path), 404, path);
  }
});

test('gives the same answer as JSON to any HTTP client', async () => {
  const url = `http://127.0.0.1:${analytics.ready.consolePort}/sefleet.fleet.v1.FleetService/ListDevices`;
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ pageSize: 1 }),
  });
  const { devices, total } = (await response.json()) as { devices: unknown[]; total: string };
  assert.equal(devices.length, 1);
  assert.equal(total, '60');
});
