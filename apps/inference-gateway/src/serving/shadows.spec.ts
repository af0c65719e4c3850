import type { ServedVersion } from './active-deployment';
import { ShadowLate, Shadows, type Scored } from './shadows';

const version = (number: number): ServedVersion => ({ number }) as unknown as ServedVersion;
const never = new Promise<Scored>(() => undefined);

describe('scores beside the answer', () => {
  it('do not hold up the log when a version hangs', async () => {
    const shadows = new Shadows(10);
    const failed: [number, unknown][] = [];
    shadows.onFailure(({ number }, scored) => failed.push([number, scored.kind === 'model-failed' && scored.error]));
    shadows.add(version(2), never);
    shadows.add(version(3), Promise.resolve({ kind: 'score', version: version(3), output: 0.5 } as Scored));
    const scores = await new Promise((resolve) => shadows.whenDone(resolve));
    expect(scores).toEqual([{ version: 3, output: 0.5 }]);
    expect(failed).toEqual([[2, expect.any(ShadowLate)]]);
  });
});
