import { localDirectory } from '../connection';
import { startLocalSystem, telemetryOf } from '../local/system';

/** Runs the system until Ctrl-C or SIGTERM. Returns the exit code. */
export async function runUp(options: { readonly docker: boolean }): Promise<number> {
  const directory = localDirectory('up');
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const stop = new AbortController();
  const stopped = new Promise<void>((resolve) =>
    stop.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => stop.abort(new Error('stopped while starting')));
  const system = await startLocalSystem({
    directory,
    say,
    docker: options.docker,
    kafkaBrokers: process.env['KAFKA_BROKERS'],
    databaseUrl: process.env['DATABASE_URL'],
    logLevel: process.env['LOG_LEVEL'],
    telemetry: telemetryOf(process.env),
    signal: stop.signal,
  });
  say('');
  say(`Kafka             ${system.addresses.kafka}`);
  for (const [name, { grpc, http, rest }] of Object.entries(system.addresses.services))
    say(`${name.padEnd(17)} gRPC ${grpc}   metrics ${http}/metrics${rest === undefined ? '' : `   REST ${rest}/v2`}`);
  say(`Logs              ${directory}/logs`);
  say('Ready. Ctrl-C stops everything; data stays.');
  await stopped;
  say('Stopping');
  await system.stop();
  return 0;
}
