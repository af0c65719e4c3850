// Acknowledged writes to the log: one idempotent producer, known topics, requests the broker accepts.
import type { EventLog, LogMessage, LogProducer } from './log/port';
import { HeaderBlock } from './record-bytes';
import { createTopics } from './topics';

/** Transient: the broker has been silent for so long that whoever waits had better try again later. */
export class BrokerSilent extends Error {
  constructor(patienceMs: number) {
    super(`the broker has not acknowledged anything for ${patienceMs} ms`);
    this.name = 'BrokerSilent';
  }
}

/** All messages of a send to a partition make one record batch, and the broker limits a batch to 1 MiB. */
const MAX_BATCH_BYTES = 900_000;
const MAX_BATCH_MESSAGES = 1000;
/** Lengths, deltas and attributes of a record, at most. */
const RECORD_BYTES = 50;

export class LogWriter {
  private readonly known = new Set<string>();
  private producing: Promise<LogProducer> | undefined;
  /** Writes that nobody waits for any more. The producer does not give them up, so they end when the broker is back. */
  private abandoned = 0;

  /** `patienceMs`: longest time without an acknowledgement; default: a write outlasts every outage. */
  constructor(
    private readonly log: EventLog,
    private readonly patienceMs?: number,
  ) {}

  /**
   * In order; resolves when every in-sync replica has all. With a patience it rejects with BrokerSilent when the broker
   * is away: all may still be written later, so what is written so must be recognisable as a repeat. Until then further
   * writes are refused at once: however long the outage, no more waits in memory than was in hand when it began.
   */
  async write(messages: readonly LogMessage[]): Promise<void> {
    if (messages.length === 0) return;
    const { patienceMs } = this;
    if (patienceMs === undefined) return this.writeAll(messages, () => undefined);
    if (this.abandoned > 0) throw new BrokerSilent(patienceMs);
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<'silent'>((resolve) => {
      timer = setTimeout(() => resolve('silent'), patienceMs);
    });
    const writing = this.writeAll(messages, () => timer?.refresh());
    try {
      if ((await Promise.race([writing, silence])) !== 'silent') return;
    } finally {
      clearTimeout(timer);
    }
    this.abandoned += 1;
    const ended = (): void => {
      this.abandoned -= 1;
    };
    writing.then(ended, ended);
    throw new BrokerSilent(patienceMs);
  }

  private async writeAll(messages: readonly LogMessage[], progressed: () => void): Promise<void> {
    await this.ensure(messages);
    const producer = await this.producer();
    try {
      for (const batch of batches(messages)) {
        await producer.send(batch);
        progressed();
      }
    } catch (error) {
      // Its sequence numbers may be out of step with the broker now: the next write begins with a fresh one.
      this.producing = undefined;
      this.known.clear();
      await producer.close().catch(() => undefined);
      throw error;
    }
  }

  async close(): Promise<void> {
    const producer = await this.producing?.catch(() => undefined);
    this.producing = undefined;
    await producer?.close();
  }

  private async ensure(messages: readonly LogMessage[]): Promise<void> {
    const unknown = [...new Set(messages.map(({ topic }) => topic))].filter((topic) => !this.known.has(topic));
    if (unknown.length === 0) return;
    await createTopics(this.log, unknown);
    for (const topic of unknown) this.known.add(topic);
  }

  private producer(): Promise<LogProducer> {
    this.producing ??= this.log.connectProducer().catch((error: unknown) => {
      this.producing = undefined;
      throw error;
    });
    return this.producing;
  }
}

/** What headers take when nobody has encoded them yet. */
const USUAL_HEADER_BYTES = 600;

export function* batches<M extends Pick<LogMessage, 'key' | 'value' | 'headers'>>(
  messages: readonly M[],
): Generator<M[]> {
  let batch: M[] = [];
  let bytes = 0;
  for (const message of messages) {
    const headers = message.headers instanceof HeaderBlock ? message.headers.size : USUAL_HEADER_BYTES;
    const size = (message.key?.byteLength ?? 0) + (message.value?.byteLength ?? 0) + headers + RECORD_BYTES;
    if (batch.length > 0 && (bytes + size > MAX_BATCH_BYTES || batch.length >= MAX_BATCH_MESSAGES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(message);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
