import { aDeployment } from '../../test/builders';
import { Profiles } from './profiles';

const [version] = aDeployment().versions;
const profile = { digest: `sha256:${'1'.repeat(64)}`, sizeBytes: 1, name: 'profile.json' };
const reading = (content: unknown, found = true): Profiles =>
  new Profiles({
    read: () =>
      found ? Promise.resolve(Buffer.from(JSON.stringify(content))) : Promise.reject(new Error('not there')),
  });

describe('the profile of a version', () => {
  it('gives the range of each feature in the order of the inputs', async () => {
    const content = {
      contract: 'headrace.dev/profile/v1',
      features: [
        { name: 'local_hour', edges: [0, 6, 12, 24] },
        { name: 'distance', edges: [100, 900] },
      ],
    };
    const outcome = await reading(content).rangesOf({ ...version, profile });
    if (outcome.kind !== 'ranges') throw new Error(outcome.message);
    expect(outcome.ranges.slice(0, 3)).toEqual([{ low: 100, high: 900 }, { low: 0, high: 24 }, undefined]);
  });

  it.each([
    ['absent', undefined, reading({})],
    ['not in the store yet', profile, reading({}, false)],
    ['something else', profile, reading({ contract: 'other' })],
  ])('is asked for again when it is %s', async (_, artifact, profiles) => {
    expect(await profiles.rangesOf({ ...version, profile: artifact })).toMatchObject({
      kind: 'refused',
      code: 'profile_unreadable',
      retriable: true,
    });
  });
});
