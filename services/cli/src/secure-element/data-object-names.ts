import { DATA_OBJECT, tagName } from '@sefleet/globalplatform';

const NAMES: Readonly<Record<number, string>> = {
  [DATA_OBJECT.ISSUER_IDENTIFICATION]: 'issuer identification number',
  [DATA_OBJECT.CARD_IMAGE]: 'card image number',
  [DATA_OBJECT.CARD_DATA]: 'card recognition data',
  [DATA_OBJECT.CARD_CAPABILITIES]: 'card capability information',
  [DATA_OBJECT.KEY_INFORMATION]: 'key information template',
  [DATA_OBJECT.SEQUENCE_COUNTER]: 'sequence counter of the default key version',
  [DATA_OBJECT.CONFIRMATION_COUNTER]: 'confirmation counter',
  [DATA_OBJECT.DIVERSIFICATION_DATA]: 'key diversification data',
  [DATA_OBJECT.CPLC]: 'card production life cycle',
  [DATA_OBJECT.APPLICATIONS]: 'applications of the domain',
  [DATA_OBJECT.RESOURCES]: 'extended card resources',
  [DATA_OBJECT.CERTIFICATE_STORE]: 'certificate store',
  [DATA_OBJECT.CERTIFICATE]: 'certificate',
};

/** What GET DATA of `tag` asks for. */
export function dataObjectName(tag: number): string {
  return NAMES[tag] ?? `data object ${tagName(tag)}`;
}
