// headrace events … and headrace topics, as commander knows them.
import type { Command } from 'commander';
import { connect, type Clients } from '../connection';
import { wholeNumber } from './arguments';
import { getEvent, printTopics, tailEvents, traceEvent, type TailOptions } from './log';

/** Aborted by the first Ctrl-C; a second one ends the process as usual. */
function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

export function addLogCommands(
  program: Command,
  withClients: (work: (clients: Clients) => Promise<void>) => Promise<void>,
): void {
  const events = program.command('events').description('the event log');
  events
    .command('tail <topic>')
    .description('events of a topic, decoded')
    .option('--type <name>', 'only this type, such as ModelTrained')
    .option('--key <key>', 'only this key')
    .option('--since <when>', 'from so long ago (10m) or from this time (2026-01-31T12:00:00Z)')
    .option('--last <n>', 'without --since: how many', wholeNumber, 20)
    .option('--follow', 'go on with what arrives', false)
    .option('--json', 'one JSON document a line', false)
    .action((topic: string, options: TailOptions) =>
      tailEvents(connect(process.env), topic, options, untilInterrupted()),
    );
  events
    .command('get <event-id>')
    .description('one event, decoded, as JSON')
    .option('--window <n>', 'how many of the newest records of each partition are searched', wholeNumber, 10_000)
    .action((eventId: string, options: { window: number }) =>
      withClients((clients) => getEvent(connect(process.env), clients, eventId, options)),
    );
  events
    .command('trace <event-id>')
    .description('what an event was caused by, back to the data that began it, and what it caused')
    .option('--json', 'as one JSON document', false)
    .option(
      '--window <n>',
      'for bulk events: how many of the newest records of each partition are searched',
      wholeNumber,
      10_000,
    )
    .action((eventId: string, options: { json: boolean; window: number }) =>
      withClients((clients) => traceEvent(connect(process.env), clients, eventId, options)),
    );
  program
    .command('topics')
    .description('topics of the cluster: records, retention, lag of consumers, differences from the catalogue')
    .option('--json', '', false)
    .action((options: { json: boolean }) => printTopics(connect(process.env), options.json));
}
