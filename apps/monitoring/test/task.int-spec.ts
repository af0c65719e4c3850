import { DefinitionPhase } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import type { CallContext } from '@headrace/grpc';
import { eventually } from '@headrace/testing';
import { MonitoringSystem } from './running-monitoring';

const PATIENT = { timeoutMs: 30_000 };

const operator: CallContext = {
  caller: { subject: 'operator', roles: ['operator'] },
  remainingMs: () => Infinity,
  traceparent: () => undefined,
  peer: () => '127.0.0.1:1',
  onCancelled: () => undefined,
};
const testOf = (statistic: string): object => ({ performance: { tests: [{ statistic, worseBy: 0.1 }] } });

describe('a Monitor that tests what its model cannot have, on the real log and database', () => {
  const system = new MonitoringSystem();
  const fault = 'spec.performance.tests.0.statistic: auc is not for a regression model';

  beforeAll(() => system.start(), 90_000);
  afterAll(() => system.stop(), 30_000);

  const sound = `${system.name}-sound`;
  const apply = (statistic: string, name = system.name) => {
    const document = { ...system.monitor(testOf(statistic)), metadata: { name } };
    return system.definitions.apply({ documentJson: JSON.stringify(document), dryRun: false }, operator);
  };
  const stateOf = async (name = system.name) => {
    const { definitions } = await system.definitions.list();
    const found = definitions.find((one) => one.name === name);
    return found && { ready: found.phase === DefinitionPhase.READY, waitingFor: found.waitingFor };
  };

  it('stays Pending when its model becomes known after it, and says which field is at fault', async () => {
    await apply('auc');
    await apply('mae', sound);
    expect(await stateOf()).toEqual({
      ready: false,
      waitingFor: [`Endpoint/${system.name}`, `DataStream/${system.stream}`],
    });
    await system.publishDefinitions(system.referred({}, 'regression'));
    // Both are looked at together: when the sound one has become Ready, the other one was left out.
    await eventually(async () => expect(await stateOf(sound)).toEqual({ ready: true, waitingFor: [] }), PATIENT);
    expect(await stateOf()).toEqual({ ready: false, waitingFor: [expect.stringContaining(fault)] });
  }, 60_000);

  it('is Ready once that is mended, and refused as soon as it is at fault again', async () => {
    await apply('mae');
    expect(await stateOf()).toEqual({ ready: true, waitingFor: [] });
    await expect(apply('auc')).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(fault) });
    expect(await stateOf()).toEqual({ ready: true, waitingFor: [] });
  }, 60_000);
});
