// headrace label: predictions that people are asked about, over HTTP of monitoring, as labelling tools ask.
import { formatTime } from '@headrace/event-time';
import { InvalidArgumentError, type Command } from 'commander';
import { connect, type Connection } from '../connection';
import { figure, printRows } from '../output';

interface Item {
  readonly predictionId: string;
  readonly reason: string;
  readonly priority: number;
  readonly asOfMicros: number;
}
interface LeasedItem extends Item {
  readonly lease: string;
  readonly leasedUntil: string;
  readonly endpoint: string;
  readonly joinKey: string;
  readonly version: number;
  readonly output: number;
  readonly features: Readonly<Record<string, number | null>>;
}
interface ListedItem extends Item {
  readonly leasedBy: string | null;
  readonly answeredBy: string | null;
  readonly published: boolean;
}

type FieldValue = string | number | boolean;

export function addLabelCommands(program: Command): void {
  const label = program.command('label').description('label predictions: take the next one, answer it, list the queue');
  label
    .command('next <monitor>')
    .description('take the next prediction; it is yours until the lease ends')
    .option('--reason <reason>', 'uncertain, drifted or random; default: any')
    .option('--json')
    .action(async (monitor: string, options: { readonly reason?: string; readonly json?: true }) => {
      const path = `/v1/labelling/monitors/${encodeURIComponent(monitor)}/next`;
      const body = options.reason === undefined ? {} : { reason: options.reason };
      const { item } = await ask<{ readonly item: LeasedItem | null }>(connect(process.env), 'POST', path, body);
      if (options.json === true) process.stdout.write(`${JSON.stringify(item, null, 2)}\n`);
      else if (item) show(item);
      else process.stdout.write('(none that nobody has)\n');
    });
  label
    .command('answer <prediction>')
    .description('say what turned out to be true, as fields of the record that the label’s stream expects')
    .requiredOption('--lease <id>', 'as "label next" gave it')
    .requiredOption(
      '--set <field=value>',
      'numbers, true and false as such, everything else is text, as is what stands in "…"; may be repeated',
      (one: string, all: readonly string[] = []) => [...all, one],
    )
    .action(async (prediction: string, options: { readonly lease: string; readonly set: readonly string[] }) => {
      const path = `/v1/labelling/predictions/${encodeURIComponent(prediction)}/answer`;
      const fields = Object.fromEntries(options.set.map(fieldOf));
      const answer = await ask<{ readonly label: number }>(connect(process.env), 'POST', path, {
        lease: options.lease,
        fields,
      });
      process.stdout.write(`label ${answer.label}; it goes to the label's stream\n`);
    });
  label
    .command('list <monitor>')
    .description('what waits, who has what, and what was answered')
    .option('--json')
    .action(async (monitor: string, options: { readonly json?: true }) => {
      const path = `/v1/labelling/monitors/${encodeURIComponent(monitor)}`;
      const { items } = await ask<{ readonly items: readonly ListedItem[] }>(connect(process.env), 'GET', path);
      printRows(
        items.map((item) => ({
          prediction: item.predictionId,
          reason: item.reason,
          priority: figure(item.priority),
          'as of': formatTime(item.asOfMicros),
          state:
            item.answeredBy !== null
              ? item.published
                ? 'answered'
                : 'answered, not sent yet'
              : item.leasedBy !== null
                ? 'taken'
                : 'waits',
          by: item.answeredBy ?? item.leasedBy ?? '',
        })),
        options.json === true,
      );
    });
}

function show(item: LeasedItem): void {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  say(`prediction ${item.predictionId} of ${item.endpoint}: ${item.reason}, priority ${figure(item.priority)}`);
  say(`key ${item.joinKey}, as of ${formatTime(item.asOfMicros)}; version ${item.version} said ${figure(item.output)}`);
  printRows(
    Object.entries(item.features).map(([feature, value]) => ({ feature, value: value ?? 'missing' })),
    false,
  );
  say(`yours until ${item.leasedUntil}:`);
  say(`headrace label answer ${item.predictionId} --lease ${item.lease} --set <field=value>`);
}

function fieldOf(text: string): [string, FieldValue] {
  const [, name, value] = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError(`"${text}": expected field=value.`);
  const quoted = /^"(.*)"$/s.exec(value)?.[1];
  if (quoted !== undefined) return [name, quoted];
  if (value === 'true' || value === 'false') return [name, value === 'true'];
  return [name, value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : value];
}

async function ask<R>(connection: Connection, method: 'GET' | 'POST', path: string, body?: object): Promise<R> {
  const url = connection.http('monitoring');
  const token = connection.token('operator');
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }).catch((error: unknown) => {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new Error(`monitoring at ${url} does not answer: ${cause}`);
  });
  const answer = (await response.json()) as R & { readonly message?: string };
  if (!response.ok) throw new Error(answer.message ?? `monitoring answered ${response.status}`);
  return answer;
}
