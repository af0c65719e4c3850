import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { register } from 'prom-client';
import { authorise, TokenTable } from './access';

describe('access by token', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokens-'));
  const file = join(folder, 'tokens.json');
  const sha256 = createHash('sha256').update('open-sesame').digest('hex');
  writeFileSync(file, JSON.stringify([{ sha256, subject: 'ann', roles: ['operator'] }]));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('knows the holder of a token', () => {
    expect(new TokenTable(file).callerOf('Bearer open-sesame')).toEqual({ subject: 'ann', roles: ['operator'] });
  });

  it.each([undefined, 'Bearer other', 'open-sesame', `Bearer ${sha256}`, 'Bearer '])(
    'does not open for %p',
    (value) => {
      expect(new TokenTable(file).callerOf(value)).toBeUndefined();
    },
  );

  it('opens nothing without a table', () => {
    expect(new TokenTable().callerOf('Bearer open-sesame')).toBeUndefined();
  });

  it('names the role that is missing', () => {
    const caller = new TokenTable(file).callerOf('Bearer open-sesame');
    expect(() => authorise(['approver'], caller, 'WaiveGates')).toThrow(/needs role approver; ann has operator/);
    expect(() => authorise(['operator'], caller, 'Apply')).not.toThrow();
    expect(() => authorise('authenticated', undefined, 'List')).toThrow(/bearer token/);
    expect(() => authorise('public', undefined, 'Predict')).not.toThrow();
  });

  it('counts what it refuses, by method and by what was missing', async () => {
    const counted = async (code: string): Promise<number> => {
      const { values } = (await register.getSingleMetric('headrace_grpc_refused_total')?.get()) ?? { values: [] };
      return values.find(({ labels }) => labels.method === 'Drop' && labels.code === code)?.value ?? 0;
    };
    const caller = new TokenTable(file).callerOf('Bearer open-sesame');
    expect(() => authorise(['approver'], caller, 'Drop')).toThrow();
    expect(() => authorise('authenticated', undefined, 'Drop')).toThrow();
    expect(() => authorise('authenticated', undefined, 'Drop')).toThrow();
    expect([await counted('role_missing'), await counted('unauthenticated')]).toEqual([1, 2]);
  });
});
