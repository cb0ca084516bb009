import { fromHex, toHex } from '@sefleet/bytes';
import { isSefleetError } from '@sefleet/errors';
import {
  DATA_OBJECT,
  getDataCommand,
  plainLink,
  readKeyInformation,
  selectCommand,
  STATUS_WORD,
  type CardLink,
  type KeyInformation,
} from '@sefleet/globalplatform';
import type { Backend } from '../backend.ts';
import { usageError, type Verb } from '../command-line.ts';
import { visitCard } from '../secure-element/card-visit.ts';
import { formatTable } from '../terminal/table.ts';
import { withBackend } from './fleet.ts';

interface ShownApplication {
  readonly aid: string;
  readonly stakeholder: string;
  readonly lifeCycle: string;
  /** `version/identifier` of each key that the card names. */
  readonly keys: readonly string[];
  readonly checkValues: readonly string[];
}

export const seShow: Verb = {
  name: 'se show',
  summary: 'a card: domains, applications, keys by version and check value, life cycles, memory',
  positionals: '<endpoint>',
  options: { json: { type: 'boolean', doc: 'as JSON' } },
  examples: [
    'sefleet se show urn:dev:sefleet:meter-000001',
    'sefleet se show urn:dev:sefleet:obu-000001 --json',
  ],
  run: (parsed) => {
    const [endpoint] = parsed.positionals;
    if (endpoint === undefined) throw usageError('which card?', 'List them: sefleet se list');
    return withBackend(async (backend) => {
      const shown = await readCard(backend, endpoint);
      if (parsed.flag('json')) console.log(JSON.stringify(shown, null, 2));
      else console.log(formatCard(shown));
    });
  },
};

interface ShownCard {
  readonly endpoint: string;
  readonly productionData: string;
  readonly resources: string;
  readonly applications: readonly ShownApplication[];
}

/** What the card says of itself to a visitor without keys, with what provisioning knows of its domains. */
async function readCard(backend: Backend, endpoint: string): Promise<ShownCard> {
  const { secureElements } = await backend.secureElements.listSecureElements({ pageSize: 1000 });
  const known = await backend.rotation.listSecurityDomains({ endpoint }).catch(() => undefined);
  const visit = await visitCard(backend, endpoint);
  try {
    const link = plainLink((command) => visit.transmit(command));
    await link.transmit(selectCommand(new Uint8Array(0)));
    const productionData = await dataObject(link, DATA_OBJECT.CPLC);
    const resources = await dataObject(link, DATA_OBJECT.RESOURCES);
    const aids = secureElements.find((element) => element.endpoint === endpoint)?.applications ?? [];
    const applications: ShownApplication[] = [];
    for (const name of aids) {
      const domain = known?.securityDomains.find((one) => one.aid.toLowerCase() === name.toLowerCase());
      const keys = await keysOf(link, name);
      applications.push({
        aid: name.toUpperCase(),
        stakeholder: domain?.stakeholder ?? '',
        lifeCycle: domain?.lifeCycle ?? '',
        keys: keys.map(({ keyVersion, keyId }) => `${keyVersion.toString(16)}/${keyId}`),
        checkValues: domain?.keySets.flatMap(({ checkValues }) => checkValues) ?? [],
      });
    }
    return { endpoint, productionData, resources, applications };
  } finally {
    visit.leave();
  }
}

async function dataObject(link: CardLink, tag: number): Promise<string> {
  const { sw, data } = await link.transmit(getDataCommand(tag));
  return sw === STATUS_WORD.OK ? toHex(data).toUpperCase() : '';
}

async function keysOf(link: CardLink, name: string): Promise<readonly KeyInformation[]> {
  const { sw } = await link.transmit(selectCommand(fromHex(name)));
  if (sw !== STATUS_WORD.OK) return [];
  try {
    return await readKeyInformation(link);
  } catch (error) {
    // An application that is no Security Domain has no key information.
    if (isSefleetError(error)) return [];
    throw error;
  }
}

function formatCard({ endpoint, productionData, resources, applications }: ShownCard): string {
  const rows = applications.map(
    (one) =>
      [one.aid, one.stakeholder, one.lifeCycle, one.keys.join(' '), one.checkValues.join(' ')] as const,
  );
  return [
    `card of     ${endpoint}`,
    `production  ${productionData}`,
    `resources   ${resources}`,
    '',
    formatTable(['application', 'stakeholder', 'life cycle', 'keys', 'check values'], rows),
  ].join('\n');
}
