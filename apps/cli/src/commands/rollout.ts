// headrace rollout: what people do about a rollout, and what became of it.
import type { EndpointHistoryEntry } from '@headrace/contracts/proto/registry/v1/registry_service';
import { RolloutControl } from '@headrace/contracts/proto/registry/v1/registry_service';
import { formatTime } from '@headrace/event-time';
import type { Command } from 'commander';
import type { Clients } from '../connection';
import { printRows } from '../output';
import { positiveNumber } from './arguments';

const CONTROLS: Readonly<Record<string, RolloutControl>> = {
  pause: RolloutControl.PAUSE,
  resume: RolloutControl.RESUME,
  promote: RolloutControl.PROMOTE,
  abort: RolloutControl.ABORT,
};

interface Options {
  readonly reason?: string;
  readonly version?: number;
  readonly json?: true;
}

export function addRolloutCommand(
  program: Command,
  withClients: (work: (clients: Clients) => Promise<void>) => Promise<void>,
): void {
  program
    .command('rollout <endpoint> <action>')
    .description(
      'show the history of rollouts; start one (of --version); pause, resume, promote or abort the one in progress',
    )
    .option('--reason <text>', 'why (for everything but show; it is audited)')
    .option('--version <n>', 'for start: a validated version of the endpoint’s model', positiveNumber)
    .option('--json', 'for show')
    .action((endpoint: string, action: string, options: Options) =>
      withClients((clients) => runRollout(clients, endpoint, action, options)),
    );
}

async function runRollout(clients: Clients, endpoint: string, action: string, options: Options): Promise<void> {
  if (action === 'show') return showRollouts(clients, endpoint, options.json === true);
  const control = CONTROLS[action];
  if (control === undefined && action !== 'start') {
    throw new Error(`"${action}": expected show, start, pause, resume, promote or abort`);
  }
  if (options.reason === undefined) throw new Error(`${action} needs --reason <text>`);
  if (control !== undefined) {
    const request = { endpoint, control, reason: options.reason };
    await clients.call(clients.registry.controlRollout.bind(clients.registry), request);
    process.stdout.write(`${action} done\n`);
    return;
  }
  if (options.version === undefined) throw new Error('start needs --version <n>');
  const request = { endpoint, version: options.version, reason: options.reason };
  const { waits } = await clients.call(clients.registry.startRollout.bind(clients.registry), request);
  process.stdout.write(waits ? 'waits for the end of the rollout in progress\n' : 'started\n');
}

async function showRollouts(clients: Clients, endpoint: string, json: boolean): Promise<void> {
  const { history } = await clients.call(clients.registry.getEndpoint.bind(clients.registry), { endpoint });
  printRows(history.map(describeChange), json);
}

function describeChange({ change, atMicros }: EndpointHistoryEntry) {
  return {
    at: formatTime(atMicros),
    change: change?.change ?? '',
    version: change?.version ?? 0,
    before: change?.previousVersion ?? 0,
    by: change?.actor ?? '',
    reason: change?.reason ?? '',
  };
}
