import { VersionRole } from '@headrace/contracts/proto/registry/v1/registry_events';
import { aDeployedVersion, aDeploymentChanged, aPairedRollout } from '../../test/builders';
import { readDeployment } from './deployment';

const cause = { eventId: 'event-1', correlationId: 'loop-1' };

describe('reading a deployment', () => {
  it('puts the champion first and keeps what the endpoint declares', () => {
    const changed = aPairedRollout(30);
    const reading = readDeployment({ ...changed, versions: [...changed.versions].reverse() }, cause);
    expect(reading).toMatchObject({
      kind: 'deployment',
      deployment: {
        generation: 2,
        rolloutId: 'rollout-1',
        paired: true,
        joinKey: 'flight',
        fallback: 0.2,
        featureTimeoutMs: 2_000,
        versions: [
          { number: 1, role: 'champion', weight: 70 },
          { number: 2, role: 'canary', weight: 30 },
        ],
        cause,
      },
    });
  });

  it('tells an absent fallback from a fallback of 0', () => {
    const { behaviour } = aDeploymentChanged();
    if (!behaviour) throw new Error('the builder gives a behaviour');
    const fallbackOf = (fallback: { value: number } | undefined): unknown => {
      const reading = readDeployment(aDeploymentChanged({ behaviour: { ...behaviour, fallback } }), cause);
      return reading.kind === 'deployment' ? reading.deployment.fallback : reading;
    };
    expect(fallbackOf({ value: 0 })).toBe(0);
    expect(fallbackOf(undefined)).toBeUndefined();
  });

  it.each([
    ['no versions', [], 'no_single_champion'],
    [
      'two champions',
      [aDeployedVersion(1, { weightPercent: 50 }), aDeployedVersion(2, { weightPercent: 50 })],
      'no_single_champion',
    ],
    ['a canary alone', [aDeployedVersion(1, { role: VersionRole.CANARY })], 'no_single_champion'],
    ['a role it does not know', [aDeployedVersion(1, { role: VersionRole.UNSPECIFIED })], 'unknown_role'],
    [
      'a shadow that would answer',
      [
        aDeployedVersion(1, { weightPercent: 80 }),
        aDeployedVersion(2, { role: VersionRole.SHADOW, weightPercent: 20 }),
      ],
      'bad_weights',
    ],
    ['weights that do not sum to 100', [aDeployedVersion(1, { weightPercent: 90 })], 'bad_weights'],
    ['a version without an artifact', [aDeployedVersion(1, { modelArtifact: undefined })], 'incomplete_version'],
    ['a version without a signature', [aDeployedVersion(1, { signature: undefined })], 'incomplete_version'],
    [
      'an unknown task',
      [
        aDeployedVersion(1, {
          signature: {
            task: 'ranking',
            inputs: [],
            outputs: [],
            features: [{ name: 'a', view: '', feature: '', requestExpression: 'request.a', entity: '' }],
          },
        }),
      ],
      'unknown_task',
    ],
  ])('does not follow %s', (_, versions, code) => {
    expect(readDeployment(aDeploymentChanged({ versions }), cause)).toMatchObject({ kind: 'unusable', code });
  });
});
