import { secureElement } from '@sefleet/api';
import type { Clock } from '@sefleet/runtime';
import { serve, type ServedService } from '@sefleet/service';
import { simulationError } from '../errors.ts';
import { ANSWER_TO_RESET, type BenchCard, type CardDirectory } from './card-directory.ts';
import { descriptionOf, summaryOf } from './card-messages.ts';
import { watchCard } from './watch-card.ts';
import type { Visitors } from './visitors.ts';

const PAGE_SIZE = 100;
const PAGE_SIZE_MAX = 1000;
const COMMAND_BYTES_MAX = 65_544;

/** The cards over gRPC. */
export function serveSecureElements(cards: CardDirectory, visitors: Visitors, clock: Clock): ServedService {
  return serve(secureElement.SecureElementService, {
    listSecureElements: ({ pageSize, pageToken }) => {
      const size = Math.min(pageSize === 0 ? PAGE_SIZE : pageSize, PAGE_SIZE_MAX);
      const endpoints = cards.endpoints();
      const start = pageToken === '' ? 0 : endpoints.findIndex((endpoint) => endpoint > pageToken);
      const page = start === -1 ? [] : endpoints.slice(start, start + size);
      const more = start !== -1 && start + size < endpoints.length;
      return {
        secureElements: page.flatMap((endpoint) => {
          const card = cards.find(endpoint);
          return card === undefined ? [] : [summaryOf(card)];
        }),
        nextPageToken: more ? (page.at(-1) ?? '') : '',
        total: BigInt(endpoints.length),
      };
    },
    describeSecureElement: ({ endpoint }) => descriptionOf(cardOf(cards, endpoint)),
    openCard: (requests) => visit(requests, cards, visitors),
    watchCard: ({ endpoint }, { signal }) => watchCard(cardOf(cards, endpoint), clock, signal),
    exportImage: ({ endpoint }) => ({ image: cardOf(cards, endpoint).image() }),
    importImage: ({ endpoint, image }) => {
      replaceCard(cardOf(cards, endpoint), image, visitors);
      return { revision: BigInt(cardOf(cards, endpoint).revision) };
    },
  });
}

/** Whoever replaces a card is its only visitor. */
function replaceCard(card: BenchCard, image: Uint8Array, visitors: Visitors): void {
  const visitor = {};
  visitors.enter(card.endpoint, visitor);
  try {
    card.replace(image);
  } finally {
    visitors.leave(card.endpoint, visitor);
  }
}

async function* visit(
  requests: AsyncIterable<secureElement.OpenCardRequest>,
  cards: CardDirectory,
  visitors: Visitors,
): AsyncGenerator<{ result: secureElement.OpenCardResponse['result'] }> {
  const visitor = {};
  let card: BenchCard | undefined;
  try {
    for await (const { action } of requests) {
      if (card === undefined) {
        if (action.case !== 'endpoint') throw firstMessageError();
        card = cardOf(cards, action.value);
        visitors.enter(card.endpoint, visitor);
        yield { result: { case: 'answerToReset', value: ANSWER_TO_RESET } };
      } else if (action.case === 'command' && action.value.length <= COMMAND_BYTES_MAX) {
        yield { result: { case: 'response', value: await card.transmit(action.value) } };
      } else if (action.case === 'reset') {
        card.reset();
        yield { result: { case: 'answerToReset', value: ANSWER_TO_RESET } };
      } else throw firstMessageError();
    }
  } finally {
    if (card !== undefined) visitors.leave(card.endpoint, visitor);
  }
}

function firstMessageError(): Error {
  return simulationError(
    'SIM_CARD_DIALOGUE',
    'the first message names the card, each further one is one command',
  );
}

function cardOf(cards: CardDirectory, endpoint: string): BenchCard {
  const card = cards.find(endpoint);
  if (card !== undefined) return card;
  throw simulationError('SIM_CARD_NOT_FOUND', `no device of the running fleet is called ${endpoint}`, {
    context: { endpoint },
    hint: 'List the cards: sefleet se list',
  });
}
