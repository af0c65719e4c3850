import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { TokenTable } from '@headrace/grpc';
import type { ServiceConfig } from '@headrace/service-kit';
import { parse } from 'yaml';
import { z } from 'zod';

const repository = resolve(__dirname, '../..');
const composeText = readFileSync(join(repository, 'docker-compose.yml'), 'utf8');
const dockerfile = readFileSync(join(__dirname, 'Dockerfile'), 'utf8');

const Service = z.strictObject({
  image: z.string().regex(/^[a-z0-9./-]+:[^ ]+$/, 'an image has a tag'),
  build: z
    .strictObject({
      context: z.literal('.'),
      dockerfile: z.literal('deploy/docker/Dockerfile'),
      target: z.string(),
      args: z.record(z.string(), z.string()).optional(),
    })
    .optional(),
  command: z.array(z.string()).optional(),
  restart: z.literal('unless-stopped'),
  init: z.boolean().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  depends_on: z
    .union([z.array(z.string()), z.record(z.string(), z.strictObject({ condition: z.string() }))])
    .default([]),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  shm_size: z.string().optional(),
  healthcheck: z
    .strictObject({
      test: z.array(z.string()).min(2),
      interval: z.string(),
      timeout: z.string(),
      retries: z.int(),
      start_period: z.string(),
    })
    .optional(),
  stop_grace_period: z.string().optional(),
  security_opt: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  deploy: z.strictObject({
    resources: z.strictObject({
      limits: z.strictObject({ cpus: z.string(), memory: z.string().regex(/^\d+[MG]$/) }),
    }),
  }),
});
const Compose = z
  .strictObject({
    services: z.record(z.string(), Service),
    volumes: z.record(z.string(), z.null()),
    secrets: z.record(z.string(), z.strictObject({ file: z.string() })),
  })
  .catchall(z.unknown());

const raw = parse(composeText, { merge: true }) as Record<string, unknown>;
const compose = Compose.parse(Object.fromEntries(Object.entries(raw).filter(([key]) => !key.startsWith('x-'))));
const services = Object.entries(compose.services);
const ours = readdirSync(join(repository, 'apps')).filter((name) => name !== 'cli');

function dependenciesOf(service: z.output<typeof Service>): string[] {
  return Array.isArray(service.depends_on) ? service.depends_on : Object.keys(service.depends_on);
}

/** What compose would put in: variables are given, or have a default, or the default is the error. */
function interpolated(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest?: string) => {
    const value = variables[name] ?? (kind === '-' ? rest : undefined);
    if (value === undefined) throw new Error(`${name} ${rest ?? 'is not set'}`);
    return value;
  });
}

async function configOf(service: string): Promise<ServiceConfig<z.ZodRawShape>> {
  const folder = join(repository, 'apps', service, 'src');
  const file = readdirSync(folder).find((name) => name.endsWith('.config.ts'));
  if (file === undefined) throw new Error(`${service} has no *.config.ts`);
  const exported = (await import(join(folder, file))) as Record<string, unknown>;
  const config = Object.values(exported).find(
    (value): value is ServiceConfig<z.ZodRawShape> =>
      typeof value === 'object' && value !== null && 'settings' in value && 'service' in value,
  );
  if (!config) throw new Error(`${file} exports no config`);
  return config;
}

describe('docker-compose.yml', () => {
  it('runs every service of this repository', () => {
    expect(services.map(([name]) => name)).toEqual(expect.arrayContaining(ours));
  });

  it('refers only to services, volumes, secrets, files and stages that exist', () => {
    const stages = [...dockerfile.matchAll(/^FROM \S+ AS (\S+)$/gm)].map((match) => match[1]);
    for (const [name, service] of services) {
      for (const other of dependenciesOf(service)) expect(Object.keys(compose.services)).toContain(other);
      for (const secret of service.secrets) expect(Object.keys(compose.secrets)).toContain(secret);
      if (service.build) expect(stages).toContain(service.build.target);
      for (const volume of service.volumes) {
        const [source = '', target = ''] = volume.split(':');
        expect(target).toMatch(/^\//);
        if (source.startsWith('./'))
          expect([name, source, existsSync(join(repository, source))]).toEqual([name, source, true]);
        else expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
  });

  it('waits for health only of services that report it', () => {
    for (const [, service] of services) {
      if (Array.isArray(service.depends_on)) continue;
      for (const [other, { condition }] of Object.entries(service.depends_on)) {
        expect(['service_healthy', 'service_started']).toContain(condition);
        const target = compose.services[other];
        if (condition === 'service_healthy') expect(target?.healthcheck ?? target?.build).toBeDefined();
      }
    }
  });

  it('opens ports on this machine alone unless told otherwise, each of them once', () => {
    const ports = services.flatMap(([, service]) => service.ports.map((port) => interpolated(port, {})));
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d{2,5}:\d{2,5}$/);
    expect(new Set(ports.map((port) => port.split(':')[1])).size).toBe(ports.length);
  });

  it('holds no password: each comes from outside and is missed by name', () => {
    expect(() => interpolated(composeText, {})).toThrow(/is missing, run deploy\/docker\/make-secrets\.sh/);
    for (const [, service] of services) {
      for (const [name, value] of Object.entries(service.environment)) {
        if (/PASSWORD|TOKEN$|SECRET|PSEUDONYM_KEY/.test(name)) expect(value).toMatch(/^\$\{[A-Z_]+:\?/);
      }
    }
  });

  it.each(ours)('gives %s the settings that it needs, and none that it does not know', async (name) => {
    const service = compose.services[name];
    const secrets = {
      HEADRACE_SERVICE_TOKEN: 'token',
      POSTGRES_PASSWORD: 'password',
      GATEWAY_PSEUDONYM_KEY: 'k'.repeat(32),
    };
    const environment = Object.fromEntries(
      Object.entries(service?.environment ?? {}).map(([key, value]) => [key, interpolated(value, secrets)]),
    );
    const { KAFKAJS_NO_PARTITIONER_WARNING: _ofKafkajs, ...settings } = environment;
    const config = await configOf(name);
    expect(config.service).toBe(name);
    expect(config.settings.strict().safeParse(settings).error?.issues ?? []).toEqual([]);
  });

  it('builds each service from its own folder', () => {
    for (const name of ours) {
      const { build } = compose.services[name] ?? {};
      if (build?.target === 'training') expect(name).toBe('training');
      else expect(build).toMatchObject({ target: 'service', args: { SERVICE: name } });
    }
  });

  it('is scraped by Prometheus at the port where each service serves its metrics', () => {
    const config = parse(readFileSync(join(repository, 'deploy/prometheus/prometheus.yml'), 'utf8')) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    const targets = new Map(config.scrape_configs.map((job) => [job.job_name, job.static_configs[0]?.targets]));
    for (const name of ours) {
      expect(targets.get(name)).toEqual([`${name}:${compose.services[name]?.environment['HTTP_PORT']}`]);
    }
  });
});

describe('make-secrets.sh', () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-secrets-'));
  const script = join(__dirname, 'make-secrets.sh');
  const environmentFile = join(folder, '.env');
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  beforeAll(() => {
    execFileSync('sh', [script, folder]);
  });
  const variables = (): Record<string, string> =>
    Object.fromEntries(
      readFileSync(environmentFile, 'utf8')
        .split('\n')
        .filter((line) => /^[A-Z]/.test(line))
        .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );

  it('gives everything that docker-compose.yml asks for', () => {
    expect(interpolated(composeText, variables())).not.toContain('${');
  });

  it('makes tokens that services accept, with their roles', () => {
    const table = new TokenTable(join(folder, 'deploy/docker/secrets/tokens.json'));
    const { HEADRACE_SERVICE_TOKEN = '', HEADRACE_TOKEN = '', HEADRACE_APPROVER_TOKEN = '' } = variables();
    expect(table.callerOf(`Bearer ${HEADRACE_SERVICE_TOKEN}`)).toEqual({ subject: 'service', roles: ['service'] });
    expect(table.callerOf(`Bearer ${HEADRACE_TOKEN}`)).toEqual({
      subject: 'operator',
      roles: ['operator', 'data-scientist', 'viewer'],
    });
    expect(table.callerOf(`Bearer ${HEADRACE_APPROVER_TOKEN}`)).toEqual({
      subject: 'approver',
      roles: ['approver', 'viewer'],
    });
  });

  it('lets nobody else read the passwords, and never replaces them', () => {
    expect(statSync(environmentFile).mode & 0o777).toBe(0o600);
    const before = readFileSync(environmentFile, 'utf8');
    const again = spawnSync('sh', [script, folder], { encoding: 'utf8' });
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/is there already/);
    expect(readFileSync(environmentFile, 'utf8')).toBe(before);
  });

  const command = [['docker', 'compose'], ['docker-compose']].find(
    ([program = '', ...rest]) => spawnSync(program, [...rest, 'version']).status === 0,
  );

  (command ? it : it.skip)('satisfies `docker compose config` (skipped where it is not installed)', () => {
    const [program = '', ...rest] = command ?? [];
    const checked = spawnSync(
      program,
      [...rest, '--env-file', environmentFile, '-f', join(repository, 'docker-compose.yml'), 'config', '-q'],
      { encoding: 'utf8' },
    );
    expect(checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  });
});
