import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { management } from '@sefleet/api';
import { SefleetError } from '@sefleet/errors';
import type { Credential } from '@sefleet/pki';
import { createNodeRuntime } from '@sefleet/runtime/node';
import {
  createGrpcClient,
  type RunningService,
  type ServiceContext,
  type ServiceDescription,
} from '@sefleet/service';
import { serveCredentials } from './adapters/grpc/credentials.ts';
import { serveManufacturing } from './adapters/grpc/manufacturing.ts';
import { serveRecordKeys } from './adapters/grpc/record-keys.ts';
import { serveRotations } from './adapters/grpc/rotations.ts';
import { ManagedCardLinks } from './adapters/management/managed-card-links.ts';
import { openCustody } from './custody/open-custody.ts';
import { Factory } from './manufacture/factory.ts';
import { ServerAccounts, type ServerFacts } from './manufacture/server-accounts.ts';
import { loadFirmwareAuthority } from './manufacture/firmware-authority.ts';
import { RotationOrders } from './rotation/rotation-orders.ts';
import { RotationRunner } from './rotation/rotation-runner.ts';
import { serveSwitching } from './adapters/grpc/switching.ts';
import { StakeholderLinks } from './adapters/management/stakeholder-links.ts';
import { ManagedMeterPort } from './adapters/management/managed-meter-port.ts';
import { openStores } from './store/open-stores.ts';
import { openParties } from './parties/open-parties.ts';
import { OWN_REGISTER, REHEARSED_REGISTER } from './switch/market-register.ts';
import { SwitchAudit } from './switch/switch-audit.ts';
import { SwitchClosing } from './switch/switch-closing.ts';
import { SwitchClock } from './switch/switch-clock.ts';
import { SwitchOffice } from './switch/switch-office.ts';
import { parseStakeholderServers } from './domain/stakeholder-servers.ts';
import { PROVISIONING_SETTINGS } from './settings.ts';

/** The provisioning service: factory, custody of keys, credentials and rotations. */
export const PROVISIONING_SERVICE: ServiceDescription<typeof PROVISIONING_SETTINGS> = {
  name: 'provisioning',
  settings: PROVISIONING_SETTINGS,
  start: async ({ settings, log, tls, dataFolder }): Promise<RunningService> => {
    const runtime = createNodeRuntime();
    const authority = readAuthority(settings.pkiFolder);
    const clock = new SwitchClock(runtime.clock, settings.rehearsal);
    const custody = openCustody(settings, dataFolder, clock);
    const stores = await openStores(settings, dataFolder, log);
    const { store, journal } = stores;
    const { certificateDays } = settings;
    const firmwareKey = loadFirmwareAuthority(settings.firmwareKeyFile, dataFolder);
    const ports = { store, custody, runtime, log };
    const stakeholderServers = parseStakeholderServers(settings.stakeholderServers);
    const accounts = new ServerAccounts(serverFacts(settings, authority), stakeholderServers);
    const factory = new Factory({ ...ports, authority, accounts, firmwareKey, certificateDays });
    const client = createGrpcClient(management.DeviceManagementService, settings.managementTarget, tls);
    const links = new ManagedCardLinks(client, runtime.timers, settings.cardTimeoutMs);
    const runner = new RotationRunner({ ...ports, links });
    const defaultConcurrency = settings.rotationConcurrency;
    const orders = new RotationOrders({ store, custody, runner, log, defaultConcurrency });
    const meter = new ManagedMeterPort(client, settings.cardTimeoutMs, runtime.timers);
    const stakeholders = new StakeholderLinks(stakeholderServers, tls, settings.cardTimeoutMs);
    const { rng } = runtime;
    const others = settings.rehearsal ? PLAYED : REAL;
    const switchPorts = { store, journal, custody, links, meter, stakeholders, rng, log, ...others };
    const office = new SwitchOffice(switchPorts, clock, runtime);
    // Parties first: what is resumed may be about one that was admitted later.
    const parties = await openParties({ ...stores, ...ports, orders, links, authority, clock, settings });
    const { registry } = parties;
    await runner.resume();
    await office.resume();
    const audit = new SwitchAudit(custody, store);
    const closing = new SwitchClosing(custody, store, registry, authority.certificatePem);
    return {
      isRevoked: (serialNumber) => parties.revocation.isRevoked(serialNumber),
      grpc: [
        serveManufacturing({
          factory,
          bootstrapUri: settings.lwm2mBootstrapUri,
          authorityPem: authority.certificatePem,
          log,
          onCertificate: (endpoint, pem) => parties.revocation.issued(endpoint, pem),
        }),
        serveCredentials({ store, custody, accounts, log, isOut: (one) => parties.revocation.isOut(one) }),
        serveRecordKeys({ custody, log }),
        serveRotations({ orders, store, custody, parties: parties.office, gate: parties.gate, log }),
        ...parties.grpc,
        serveSwitching({ office, registry, audit, closing, custody, log, rehearsal: settings.rehearsal }),
      ],
      stop: async () => {
        await parties.close();
        await runner.stop();
        await office.close();
        client.close();
        stakeholders.close();
        await journal.close();
        await stores.parties.close();
        await store.close();
        custody.close();
        runtime.close();
      },
    };
  },
};

/** The others of a switch: the market and the owners of devices. A rehearsal plays them. */
const REAL = { market: OWN_REGISTER, mandates: 'given' } as const;
const PLAYED = { market: REHEARSED_REGISTER, mandates: 'rehearsed' } as const;

function serverFacts(
  settings: ServiceContext<typeof PROVISIONING_SETTINGS>['settings'],
  { certificatePem }: Credential,
): ServerFacts {
  const { pkiFolder, serverCertificateFile } = settings;
  return {
    bootstrapUri: settings.lwm2mBootstrapUri,
    lwm2mUri: settings.lwm2mUri,
    plainUri: settings.lwm2mPlainUri,
    lifetimeSeconds: settings.lifetimeSeconds,
    authority: new X509Certificate(certificatePem).raw,
    serverCertificateFile:
      serverCertificateFile === '' ? join(pkiFolder, 'lwm2m-server.pem') : serverCertificateFile,
  };
}

function readAuthority(folder: string): Credential {
  try {
    return {
      certificatePem: readFileSync(join(folder, 'ca.pem'), 'utf8'),
      privateKeyPem: readFileSync(join(folder, 'ca.key'), 'utf8'),
    };
  } catch (cause) {
    throw new SefleetError('TLS_FILES_MISSING', 'environment', `no authority in ${folder}`, {
      cause,
      hint: 'Run `sefleet up` once: it makes the local authority.',
    });
  }
}
