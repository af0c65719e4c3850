import { FirstFeatureModel, packed } from '../../test/builders';
import { Residency, type Resident } from './residency';
import type { HeldModel } from './tensors';

const WIDTH = 2;

interface Held {
  readonly model: HeldModel;
  /** Each time that it was loaded. */
  readonly loads: FirstFeatureModel[];
}

async function aModel(residency: Residency, resident: Partial<Resident> = {}, loadable = () => true): Promise<Held> {
  const loads: FirstFeatureModel[] = [];
  const { inputs, outputs, place, runRows, rowMicros } = new FirstFeatureModel(WIDTH);
  const known: Resident = { inputs, outputs, place, runRows, rowMicros, bytes: 40, pinned: false, ...resident };
  const model = await residency.hold(known, () => {
    if (!loadable()) return Promise.reject(new Error('the disk is away'));
    const loaded = new FirstFeatureModel(WIDTH);
    loads.push(loaded);
    return Promise.resolve(loaded);
  });
  return { model, loads };
}

function aResidency(budgetBytes = 100): Residency {
  return new Residency({
    budgetBytes,
    onReleaseFault: (error) => {
      throw error;
    },
  });
}

async function ask({ model }: Held, value: number): Promise<number> {
  const outputs = await model.run(packed(Float32Array.from([value, 0]), 1));
  return Number(outputs['probabilities']?.data[1]);
}

function isInMemory({ loads }: Held): boolean {
  return loads.some(({ released }) => !released);
}

describe('more models than memory', () => {
  it('loads while there is room, and later ones when they are asked', async () => {
    const residency = aResidency();
    const held = [await aModel(residency), await aModel(residency), await aModel(residency)];
    expect(held.map(isInMemory)).toEqual([true, true, false]);
    expect(residency.usedBytes).toBe(80);
  });

  it('lets the one go that was asked longest ago, and answers by it again when it is asked', async () => {
    const residency = aResidency();
    const [first, second, third] = [await aModel(residency), await aModel(residency), await aModel(residency)];
    expect(await ask(first, 1)).toBe(1);
    expect(await ask(third, 3)).toBe(3);
    expect([first, second, third].map(isInMemory)).toEqual([true, false, true]);
    expect(await ask(second, 2)).toBe(2);
    expect([first, second, third].map(isInMemory)).toEqual([false, true, true]);
    expect(second.loads).toHaveLength(2);
    expect(residency.usedBytes).toBe(80);
  });

  it('never lets a pinned one go, nor one that runs', async () => {
    const residency = aResidency(80);
    const pinned = await aModel(residency, { pinned: true });
    const running = await aModel(residency);
    const third = await aModel(residency);
    const [slow] = await Promise.all([ask(running, 5), ask(third, 3)]);
    expect(slow).toBe(5);
    expect(isInMemory(pinned)).toBe(true);
    expect(running.loads).toHaveLength(1);
    await ask(await aModel(residency), 4);
    expect(isInMemory(pinned)).toBe(true);
    expect(residency.usedBytes).toBe(80);
  });

  it('loads once for all that ask meanwhile', async () => {
    const residency = aResidency(0);
    const held = await aModel(residency);
    expect(await Promise.all([ask(held, 1), ask(held, 2), ask(held, 3)])).toEqual([1, 2, 3]);
    expect(held.loads).toHaveLength(1);
  });

  it('says that a model cannot be loaded again, and tries at the next request', async () => {
    let away = true;
    const residency = aResidency(0);
    const held = await aModel(residency, {}, () => !away);
    await expect(ask(held, 1)).rejects.toMatchObject({ kind: 'unavailable', code: 'not_loaded' });
    expect(residency.usedBytes).toBe(0);
    away = false;
    expect(await ask(held, 1)).toBe(1);
  });

  it('gives the memory of what is released back', async () => {
    const residency = aResidency();
    const held = await aModel(residency);
    await held.model.release();
    expect(isInMemory(held)).toBe(false);
    expect(residency.usedBytes).toBe(0);
  });
});
