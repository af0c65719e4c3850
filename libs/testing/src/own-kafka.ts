import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startKafka } from '@headrace/embedded';

/** A Kafka of one spec alone, which may harm it. */
export interface OwnKafka {
  /** host:port[,host:port] */
  readonly brokers: string;
  /** It answers nobody from now on; connections stay open. */
  standStill(): void;
  goOn(): void;
  stop(): Promise<void>;
}

export async function startOwnKafka(): Promise<OwnKafka> {
  // The pid in the name lets a later run remove what a killed one left.
  const folder = await mkdtemp(join(tmpdir(), `headrace-test-${process.pid}-`));
  const kafka = await startKafka({ dataDirectory: join(folder, 'kafka') });
  const goOn = (): void => void process.kill(kafka.pid, 'SIGCONT');
  return {
    brokers: kafka.brokers,
    standStill: () => void process.kill(kafka.pid, 'SIGSTOP'),
    goOn,
    stop: async () => {
      goOn();
      await kafka.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
