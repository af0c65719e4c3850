import { eventually } from './eventually';
import { uniqueName } from './unique-name';

describe('eventually', () => {
  it('resolves with what the assertion returns once it no longer throws', async () => {
    let attempts = 0;
    const result = await eventually(
      () => {
        attempts += 1;
        expect(attempts).toBe(3);
        return 'there';
      },
      { intervalMs: 1 },
    );
    expect(result).toBe('there');
  });

  it('waits for a promise of the assertion', async () => {
    await expect(eventually(() => Promise.resolve(7))).resolves.toBe(7);
  });

  it('rejects with the last error of the assertion when the time is over', async () => {
    let attempts = 0;
    const failing = eventually(
      () => {
        attempts += 1;
        throw new Error(`attempt ${attempts}`);
      },
      { timeoutMs: 20, intervalMs: 5 },
    );
    await expect(failing).rejects.toThrow(/^attempt \d+\n\(still so after 20 ms\)$/);
    expect(attempts).toBeGreaterThan(1);
  });
});

describe('uniqueName', () => {
  it('begins with the prefix and never repeats itself', () => {
    const names = Array.from({ length: 100 }, () => uniqueName('orders'));
    expect(new Set(names).size).toBe(100);
    expect(names.every((name) => /^orders-[0-9a-f]{10}$/.test(name))).toBe(true);
  });
});
