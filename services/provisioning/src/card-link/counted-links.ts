import type { CardLinks } from './card-link.ts';

/** The way to cards, with a count of what went over it. */
export class CountedLinks implements CardLinks {
  readonly #links: CardLinks;
  #commands = 0;

  constructor(links: CardLinks) {
    this.#links = links;
  }

  /** Commands that were sent and answered. */
  get commands(): number {
    return this.#commands;
  }

  open(endpoint: string): ReturnType<CardLinks['open']> {
    const channel = this.#links.open(endpoint);
    return {
      exchange: async (commands) => {
        const answers = await channel.exchange(commands);
        this.#commands += answers.length;
        return answers;
      },
      close: () => channel.close(),
    };
  }
}
