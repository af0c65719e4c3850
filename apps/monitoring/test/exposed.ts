import { register } from 'prom-client';

/** Value of the one series of a metric that has these labels; NaN: there is none. */
export async function exposed(name: string, labels: Readonly<Record<string, string>>): Promise<number> {
  const { values } = (await register.getSingleMetric(name)?.get()) ?? { values: [] };
  const has = (given: Readonly<Record<string, string | number | undefined>>): boolean =>
    Object.entries(labels).every(([label, value]) => given[label] === value);
  return values.find((one) => has(one.labels))?.value ?? NaN;
}
