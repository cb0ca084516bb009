import type { management } from '@sefleet/api';
import { isSefleetError } from '@sefleet/errors';
import type { Timers } from '@sefleet/runtime';
import type { DuplexCall, GrpcClient } from '@sefleet/service';
import type { ApduChannel, CardLinks } from '../../card-link/card-link.ts';
import { provisioningError } from '../../errors.ts';

type Client = Pick<GrpcClient<typeof management.DeviceManagementService>, 'openApduChannel'>;
type Call = DuplexCall<
  typeof management.OpenApduChannelRequestSchema,
  typeof management.OpenApduChannelResponseSchema
>;

/** The way to the devices' cards through the LwM2M server: one conversation a channel. */
export class ManagedCardLinks implements CardLinks {
  readonly #client: Client;
  readonly #timers: Timers;
  readonly #timeoutMs: number;

  constructor(client: Client, timers: Timers, timeoutMs: number) {
    this.#client = client;
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
  }

  open(endpoint: string): ApduChannel {
    return new ManagedChannel(endpoint, this.#client.openApduChannel(), this.#timers, this.#timeoutMs);
  }
}

class ManagedChannel implements ApduChannel {
  readonly #endpoint: string;
  readonly #call: Call;
  readonly #timers: Timers;
  readonly #timeoutMs: number;
  #started = false;

  constructor(endpoint: string, call: Call, timers: Timers, timeoutMs: number) {
    this.#endpoint = endpoint;
    this.#call = call;
    this.#timers = timers;
    this.#timeoutMs = timeoutMs;
  }

  async exchange(commands: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const endpoint = this.#started ? '' : this.#endpoint;
    this.#started = true;
    // A channel is given up after its time: cancelling the call makes the read below fail.
    let late = false;
    const timer = this.#timers.after(this.#timeoutMs, () => {
      late = true;
      this.#call.cancel();
    });
    try {
      this.#call.send({ endpoint, commands: [...commands] });
      const answer = await this.#call.responses.next();
      if (answer.done !== true) return answer.value.responses;
      throw provisioningError(
        'PROVISIONING_LINK_UNAVAILABLE',
        `the conversation with ${this.#endpoint} ended`,
      );
    } catch (cause) {
      if (late)
        throw provisioningError('PROVISIONING_CARD_TIMEOUT', `${this.#endpoint} did not answer`, { cause });
      // What the server says is its word; what gRPC itself says is about the way.
      if (isSefleetError(cause) && !cause.code.startsWith('GRPC_')) throw cause;
      throw provisioningError('PROVISIONING_LINK_UNAVAILABLE', `no way to ${this.#endpoint}`, { cause });
    } finally {
      timer.cancel();
    }
  }

  /**
   * Ends the conversation and reads it to its end. Cancelling it instead would reset the stream, and an
   * HTTP/2 server takes many of those in a short time for an attack.
   */
  close(): void {
    this.#call.end();
    const drain = async (): Promise<void> => {
      for await (const _ of this.#call.responses);
    };
    drain().catch(() => {
      // It was over already, and whoever waited for an answer has been told.
    });
  }
}
