import { GuardrailAction } from '@headrace/contracts/proto/registry/v1/registry_events';
import { eventually } from '@headrace/testing';
import {
  aDeployedVersion,
  aDeployment,
  aDeploymentChanged,
  aPairedRollout,
  FirstFeatureModel,
  flightColumns,
} from '../../test/builders';
import type { WantedVersion } from '../domain/deployment';
import type { RangesOutcome } from '../models/profiles';
import { VersionPool } from '../models/version-pool';
import type { LoadOutcome } from '../models/model-loader';
import { ServingTable } from '../serving/serving-table';
import { FollowDeployments, type DeploymentReports } from './follow-deployments';

const ENDPOINT = 'late-arrival';

/** Loads models that a spec can look at; `hold` keeps a version from being loaded until it is let go. */
class FakeLoader {
  readonly models = new Map<number, FirstFeatureModel>();
  readonly loads: number[] = [];
  readonly refusals = new Map<number, Extract<LoadOutcome, { kind: 'refused' }>>();
  private readonly held = new Map<number, Promise<void>>();

  hold(version: number): () => void {
    let letGo = (): void => undefined;
    this.held.set(version, new Promise((resolve) => (letGo = resolve)));
    return letGo;
  }

  async load({ number }: WantedVersion): Promise<LoadOutcome> {
    this.loads.push(number);
    await this.held.get(number);
    const refusal = this.refusals.get(number);
    if (refusal) return refusal;
    const model = new FirstFeatureModel();
    this.models.set(number, model);
    return { kind: 'loaded', model };
  }
}

function setUp(known: RangesOutcome = { kind: 'ranges', ranges: [] }) {
  const loader = new FakeLoader();
  const pool = new VersionPool(loader, {
    batcher: () => ({ maxBatchRows: 64, maxQueuedRows: 10_000 }),
    onReleaseFault: (error) => {
      throw error;
    },
  });
  const table = new ServingTable();
  const activated: number[] = [];
  const failed: { version: number; code: string }[] = [];
  const reports: DeploymentReports = {
    activated: ({ generation }) => activated.push(generation),
    loadFailed: ({ version, code }) => failed.push({ version, code }),
  };
  const kept: number[] = [];
  let clock = 0;
  const follow = new FollowDeployments(
    pool,
    table,
    reports,
    { keep: ({ generation }) => kept.push(generation) },
    () => (clock += 1),
    { rangesOf: () => Promise.resolve(known) },
  );
  const served = (): number[] | undefined => table.find(ENDPOINT)?.versions.map(({ number }) => number);
  return { loader, table, activated, failed, kept, follow, served };
}

function generation(number: number, version = number): ReturnType<typeof aDeployment> {
  return aDeployment(aDeploymentChanged({ generation: number, versions: [aDeployedVersion(version)] }));
}

describe('following deployments', () => {
  it('loads before it switches, and says so', async () => {
    const { loader, table, activated, follow, served } = setUp();
    const letGo = loader.hold(2);
    follow.follow(generation(1));
    await eventually(() => expect(served()).toEqual([1]));
    follow.follow(generation(2));
    await eventually(() => expect(loader.loads).toEqual([1, 2]));
    expect(served()).toEqual([1]);
    letGo();
    await eventually(() => expect(served()).toEqual([2]));
    expect(activated).toEqual([1, 2]);
    expect(table.find(ENDPOINT)?.deployment.generation).toBe(2);
    await eventually(() => expect(loader.models.get(1)?.released).toBe(true));
  });

  it('ignores an older generation and a repeat', async () => {
    const { loader, activated, follow, served } = setUp();
    follow.follow(generation(3));
    follow.follow(generation(2));
    follow.follow(generation(3));
    await eventually(() => expect(served()).toEqual([3]));
    expect(loader.loads).toEqual([3]);
    expect(activated).toEqual([3]);
  });

  it('serves what was served before the start until the log says more, whatever its generation', async () => {
    const { loader, kept, follow, served } = setUp();
    follow.resume(generation(7));
    await eventually(() => expect(served()).toEqual([7]));
    follow.follow(generation(7));
    expect(loader.loads).toEqual([7]);
    follow.follow(generation(6));
    expect(loader.loads).toEqual([7]);
    const other = setUp();
    other.follow.resume(generation(7));
    await eventually(() => expect(other.served()).toEqual([7]));
    other.follow.follow(generation(2));
    await eventually(() => expect(other.served()).toEqual([2]));
    expect(kept).toEqual([7]);
    expect(other.kept).toEqual([7, 2]);
  });

  it('skips what was overtaken while it loaded', async () => {
    const { loader, activated, follow, served } = setUp();
    const letGo = loader.hold(1);
    follow.follow(generation(1));
    follow.follow(generation(2));
    follow.follow(generation(3));
    letGo();
    await eventually(() => expect(served()).toEqual([3]));
    expect(activated).toEqual([3]);
    expect(loader.loads).toEqual([1, 3]);
    await eventually(() => expect(loader.models.get(1)?.released).toBe(true));
  });

  it('loads nothing again when only the weights change', async () => {
    const { loader, table, follow, served } = setUp();
    follow.follow(aDeployment(aPairedRollout(20)));
    await eventually(() => expect(served()).toEqual([1, 2]));
    follow.follow(aDeployment({ ...aPairedRollout(50), generation: 3 }));
    await eventually(() => expect(table.find(ENDPOINT)?.deployment.generation).toBe(3));
    expect([...loader.loads].sort()).toEqual([1, 2]);
  });

  it('loads a candidate once more when it is promoted, where promoted versions run, and lets both others go', async () => {
    const { loader, follow, served } = setUp();
    follow.follow(aDeployment(aPairedRollout(20)));
    await eventually(() => expect(served()).toEqual([1, 2]));
    const candidate = loader.models.get(2);
    follow.follow(aDeployment(aDeploymentChanged({ generation: 4, versions: [aDeployedVersion(2)] })));
    await eventually(() => expect(served()).toEqual([2]));
    expect([...loader.loads].sort()).toEqual([1, 2, 2]);
    await eventually(() => expect([loader.models.get(1)?.released, candidate?.released]).toEqual([true, true]));
    expect(loader.models.get(2)?.released).toBe(false);
  });

  it('reports a candidate whose process died once, so that it is rolled back, and goes on', async () => {
    const { loader, failed, follow, served } = setUp();
    follow.follow(aDeployment(aPairedRollout(20)));
    await eventually(() => expect(served()).toEqual([1, 2]));
    loader.models.get(2)?.die({ code: 'hung', message: 'run took more than 1000 ms' });
    loader.models.get(2)?.die({ code: 'hung', message: 'run took more than 1000 ms' });
    loader.models.get(1)?.die({ code: 'crashed', message: 'SIGSEGV' });
    expect(failed).toEqual([{ version: 2, code: 'candidate_hung' }]);
    expect(served()).toEqual([1, 2]);
  });

  it('reports the death of a candidate that endpoints share for each of them', async () => {
    const { loader, failed, follow, table, served } = setUp();
    follow.follow(aDeployment(aPairedRollout(20)));
    follow.follow(aDeployment({ ...aPairedRollout(20), endpoint: 'another' }));
    await eventually(() => expect([served()?.length, table.find('another')?.versions.length]).toEqual([2, 2]));
    expect([...loader.loads].sort()).toEqual([1, 2]);
    loader.models.get(2)?.die({ code: 'hung', message: 'run took more than 1000 ms' });
    expect(failed).toHaveLength(2);
  });

  it('reports no death of a candidate that is no longer served', async () => {
    const { loader, failed, follow, served } = setUp();
    follow.follow(aDeployment(aPairedRollout(20)));
    await eventually(() => expect(served()).toEqual([1, 2]));
    follow.follow(aDeployment(aDeploymentChanged({ generation: 4, versions: [aDeployedVersion(1)] })));
    await eventually(() => expect(served()).toEqual([1]));
    loader.models.get(2)?.die({ code: 'crashed', message: 'SIGSEGV' });
    expect(failed).toEqual([]);
  });

  it('goes on with what it served when the new version does not load', async () => {
    const { loader, table, failed, follow, served } = setUp();
    loader.refusals.set(2, { kind: 'refused', code: 'too_slow', message: 'one row takes 99 ms', retriable: false });
    follow.follow(generation(1));
    await eventually(() => expect(served()).toEqual([1]));
    follow.follow(aDeployment(aPairedRollout()));
    await eventually(() => expect(failed).toEqual([{ version: 2, code: 'too_slow' }]));
    expect(served()).toEqual([1]);
    expect(table.find(ENDPOINT)?.deployment.generation).toBe(1);
    expect(loader.models.get(1)?.released).toBe(false);
  });

  it('starts with the champion alone when its canary does not load', async () => {
    const { loader, failed, follow, served, table } = setUp();
    loader.refusals.set(2, { kind: 'refused', code: 'crashed', message: 'SIGSEGV', retriable: false });
    follow.follow(aDeployment(aPairedRollout(100)));
    await eventually(() => expect(failed).toEqual([{ version: 2, code: 'crashed' }]));
    expect(served()).toEqual([1]);
    expect(table.require(ENDPOINT).route().number).toBe(1);
  });

  it('tries again what may pass, and says nothing of it meanwhile', async () => {
    const { loader, failed, follow, served } = setUp();
    loader.refusals.set(1, { kind: 'refused', code: 'artifact_missing', message: 'not there', retriable: true });
    follow.follow(generation(1));
    await eventually(() => expect(loader.loads.length).toBeGreaterThan(1));
    expect(failed).toEqual([]);
    loader.refusals.clear();
    await eventually(() => expect(served()).toEqual([1]));
    follow.stop();
  });

  it('tries at once when it is asked to, and tells when it has', async () => {
    const { loader, follow, served } = setUp();
    loader.refusals.set(1, { kind: 'refused', code: 'artifact_missing', message: 'not there', retriable: true });
    follow.follow(generation(1));
    // The waits between tries have grown to a second.
    await eventually(() => expect(loader.loads.length).toBe(3));
    loader.refusals.clear();
    await eventually(async () => {
      await follow.tryNow(ENDPOINT);
      expect(served()).toEqual([1]);
    });
    const { length } = loader.loads;
    await follow.tryNow(ENDPOINT);
    await follow.tryNow('nothing');
    expect(loader.loads).toHaveLength(length);
    follow.stop();
  });

  it('is ready once everything that was announced serves or was found not to', async () => {
    const { loader, table, follow } = setUp();
    expect(table.notReadyReason()).toContain('still being read');
    const letGo = loader.hold(1);
    follow.follow(generation(1));
    table.markCaughtUp();
    expect(table.notReadyReason()).toBe('being loaded: late-arrival');
    expect(() => table.require(ENDPOINT)).toThrow('is not loaded yet');
    letGo();
    await eventually(() => expect(table.notReadyReason()).toBeUndefined());
    loader.refusals.set(9, { kind: 'refused', code: 'not_onnx', message: 'rubbish', retriable: false });
    follow.follow(aDeployment(aDeploymentChanged({ endpoint: 'other', versions: [aDeployedVersion(9)] })));
    await eventually(() => expect(table.notReadyReason()).toBeUndefined());
    expect(() => table.require('other')).toThrow('version 9 could not be loaded (not_onnx: rubbish)');
    expect(() => table.require('nothing')).toThrow('there is no endpoint "nothing": known are late-arrival, other');
  });

  it('fails no request while versions change under load', async () => {
    const { loader, table, follow, served } = setUp();
    follow.follow(generation(1));
    await eventually(() => expect(served()).toEqual([1]));
    let asking = true;
    let answered = 0;
    const ask = async (caller: number): Promise<void> => {
      const row = new Float32Array(flightColumns.length).fill(caller);
      while (asking) {
        const active = table.require(ENDPOINT);
        active.enter();
        try {
          const outputs = await active.route().loaded.batcher.infer(row, 1);
          expect(outputs['probabilities']?.data[1]).toBe(caller);
          answered += 1;
        } finally {
          active.leave();
        }
      }
    };
    const callers = Array.from({ length: 32 }, (_, caller) => ask(caller));
    for (let number = 2; number <= 30; number += 1) {
      follow.follow(generation(number));
      await eventually(() => expect(served()).toEqual([number]), { intervalMs: 1 });
    }
    asking = false;
    await Promise.all(callers);
    expect(answered).toBeGreaterThan(100);
    const released = [...loader.models].filter(([, { released: gone }]) => gone).map(([number]) => number);
    expect(released).toHaveLength(29);
    expect(loader.models.get(30)?.released).toBe(false);
  });

  it('does not serve without the profile that a guardrail needs', async () => {
    const refused = { kind: 'refused', code: 'profile_unreadable', message: 'gone', retriable: false } as const;
    const changed = aDeploymentChanged();
    const { behaviour } = changed;
    if (!behaviour) throw new Error('the builder gives a behaviour');
    const guardrails = {
      outsideProfile: { action: GuardrailAction.FLAG, tolerance: 0 },
      lowConfidence: undefined,
      missingFeatures: undefined,
      fallbackVersion: 0,
    };
    const { follow, failed, served, loader } = setUp(refused);
    follow.follow(aDeployment({ ...changed, behaviour: { ...behaviour, guardrails } }));
    await eventually(() => expect(failed).toEqual([{ version: 1, code: 'profile_unreadable' }]));
    expect(served()).toBeUndefined();
    expect(loader.models.get(1)?.released).toBe(true);
    follow.stop();
  });
});
