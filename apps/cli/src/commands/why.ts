// headrace why: from one answer to the data that it rests on.
import type { Command } from 'commander';
import { connect, type Clients, type Connection } from '../connection';
import { findPrediction } from '../why/find-prediction';
import { gatherWhy } from '../why/gather-why';
import { printWhy } from '../why/print-why';
import { wholeNumber } from './arguments';
import { printTrace } from './log';

interface WhyOptions {
  readonly json: boolean;
  readonly window: number;
}

export function addWhyCommand(
  program: Command,
  withClients: (work: (clients: Clients) => Promise<void>) => Promise<void>,
): void {
  program
    .command('why <id>')
    .description(
      'what an answer rests on, from its prediction id to the data; of another event: its causes and effects',
    )
    .option('--json', 'as one JSON document', false)
    .option(
      '--window <n>',
      'for what no service knows: how many of the newest records of each partition are searched',
      wholeNumber,
      10_000,
    )
    .action((id: string, options: WhyOptions) =>
      withClients((clients) => explainWhy(connect(process.env), clients, id, options)),
    );
}

export async function explainWhy(
  connection: Connection,
  clients: Clients,
  id: string,
  { json, window }: WhyOptions,
): Promise<void> {
  if (id === '') throw new Error('expected the id of a prediction or of an event');
  const found = await findPrediction(connection, clients, id, window);
  if (found.kind === 'event') return printTrace(found.trace, json);
  const why = await gatherWhy(clients, found.served, found.known);
  if (json) process.stdout.write(`${JSON.stringify(why, null, 2)}\n`);
  else printWhy(why);
}
