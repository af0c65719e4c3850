// All six services as processes of their own, with a Kafka and a Postgres that no other spec uses: services of one system
// share consumer groups.
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { installationFolders } from '@headrace/embedded';
import { Clients, connect, type Connection } from '../src/connection';
import { startLocalSystem, type LocalSystem, type ServiceName } from '../src/local/system';

/** The services run as built. */
async function buildServices(): Promise<void> {
  const install = pathToFileURL(join(installationFolders().repository, 'tools', 'install.mjs')).href;
  const script = `import { ensureInstalled } from ${JSON.stringify(install)};
    await ensureInstalled({ python: false, kafka: false });`;
  await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script]);
}

export class WholeSystem {
  private constructor(
    readonly directory: string,
    readonly clients: Clients,
    readonly connection: Connection,
    readonly kafka: string,
    /** URL of its Postgres. */
    readonly database: string,
    private readonly system: LocalSystem,
  ) {}

  static async start(telemetry: Readonly<Record<string, string>> = {}): Promise<WholeSystem> {
    await buildServices();
    // The pid in the name lets a later run remove what a killed one left.
    const directory = await mkdtemp(join(tmpdir(), `headrace-test-${process.pid}-`));
    await chmod(directory, 0o711); // user postgres, as which Postgres runs for root, must be able to enter
    const said: string[] = [];
    try {
      const system = await startLocalSystem({
        directory,
        say: (line) => said.push(line),
        docker: false,
        telemetry,
      });
      const connection = connect({}, system.addresses);
      const { kafka, database } = system.addresses;
      return new WholeSystem(directory, new Clients(connection), connection, kafka, database, system);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw new Error(`the system did not start:\n${said.join('\n')}`, { cause: error });
    }
  }

  /** What a service tells Prometheus. */
  async metricsOf(service: ServiceName): Promise<string> {
    return (await fetch(`${this.system.addresses.services[service].http}/metrics`)).text();
  }

  /** Ends a service as a crash would; it is started again. */
  kill(service: ServiceName): void {
    const pid = this.system.supervisor.pids().get(service);
    if (pid === undefined) throw new Error(`${service} does not run`);
    process.kill(pid, 'SIGKILL');
  }

  async stop(): Promise<void> {
    this.clients.close();
    await this.system.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
