import { kinds, stringValue, timeValue, doubleValue, intValue, missing } from '@headrace/definitions';
import { meanInterval, proportionInterval } from '@headrace/statistics';
import { businessMetrics, compileMetrics, labelFieldsOf, metricEvidence, type MetricRules } from './business-metrics';

const rows = Array.from({ length: 40 }, (_, index) => ({
  prediction: { output: index / 40, score: index / 40, version: 1 },
  label: index % 3 === 0 ? 1 : 0,
  features: index % 10 === 0 ? {} : { distance: index },
  record: {},
}));
const metric = (expression: string, aggregate: MetricRules['aggregate'] = 'mean', more: object = {}): MetricRules => ({
  name: 'it',
  expression,
  aggregate,
  ...more,
});
const resultOf = (rules: MetricRules) => {
  const [result] = businessMetrics(compileMetrics([rules]), rows);
  if (!result) throw new Error('there is one result for each metric');
  return result;
};

describe('business metrics of a window', () => {
  const costs: number[] = rows.map(({ prediction, label }) => (prediction.score >= 0.5 && label === 0 ? 5 : 0));
  const cost = 'prediction.score >= 0.5 && label == 0 ? 5.0 : 0.0';

  it('have the mean, the sum and the count with their intervals', () => {
    const mean = meanInterval(costs);
    const close = (value: number) => expect.closeTo(value, 9);
    expect(resultOf(metric(cost)).value).toEqual({
      value: close(mean.value),
      low: close(mean.low),
      high: close(mean.high),
    });
    const total = costs.reduce((sum, one) => sum + one, 0);
    expect(resultOf(metric(cost, 'sum')).value).toEqual({
      value: close(total),
      low: close(mean.low * 40),
      high: close(mean.high * 40),
    });
    const wrong = costs.filter((one) => one > 0).length;
    const share = proportionInterval(wrong, 40);
    expect(resultOf(metric(cost, 'count')).value).toEqual({
      value: close(wrong),
      low: close(share.low * 40),
      high: close(share.high * 40),
    });
  });

  it('take true and false as a share, with the interval of one', () => {
    const labels = rows.filter((row) => row.label === 1).length;
    expect(resultOf(metric('label == 1')).value).toEqual(proportionInterval(labels, 40));
  });

  it('count what could not be computed, and say why', () => {
    const result = resultOf(metric('features.distance * 2.0'));
    expect(result).toMatchObject({ rows: 36, failed: 4, failure: 'field not found: distance' });
    const none = resultOf(metric('record.fee * 2.0'));
    expect(none).toEqual({ name: 'it', aggregate: 'mean', rows: 0, failed: 40, failure: 'field not found: fee' });
  });

  it('cross their test on its side only, and not without a value', () => {
    const crosses = (rules: MetricRules) => metricEvidence([rules], [resultOf(rules)]).map((entry) => entry.crossed);
    const total = costs.reduce((sum, one) => sum + one, 0);
    expect(crosses(metric(cost, 'sum', { test: { above: total - 1 } }))).toEqual([true]);
    expect(crosses(metric(cost, 'sum', { test: { above: total } }))).toEqual([false]);
    expect(crosses(metric(cost, 'sum', { test: { below: total + 1 } }))).toEqual([true]);
    expect(crosses(metric('0.0 - label', 'sum', { test: { below: 0 } }))).toEqual([true]);
    expect(crosses(metric('record.fee * 2.0', 'sum', { test: { below: 1e9 } }))).toEqual([false]);
    expect(crosses(metric(cost, 'sum'))).toEqual([]);
  });
});

describe('what is kept of the record of a label', () => {
  it('is what metrics read, and nothing of unbounded size', () => {
    const fields = {
      fee: doubleValue(2.5),
      count: intValue(3),
      at: timeValue(4_000_000),
      note: stringValue('x'.repeat(201)),
      gone: missing,
      other: doubleValue(1),
    };
    expect(labelFieldsOf(fields, ['fee', 'count', 'at', 'note', 'gone', 'absent', 'toString'])).toEqual({
      fee: 2.5,
      count: 3,
      at: 4,
    });
    expect(labelFieldsOf(fields, [])).toBeUndefined();
  });
});

describe('a Monitor', () => {
  it('refuses a metric that cannot be computed, at its field', () => {
    const parsed = kinds.Monitor.safeParse({
      apiVersion: 'headrace.dev/v1',
      kind: 'Monitor',
      metadata: { name: 'm' },
      spec: { endpoint: 'e', label: { stream: 's', expression: 'record.late' }, metrics: [metric('request.x')] },
    });
    expect(parsed.error?.issues.map((issue) => issue.path.join('.'))).toEqual(['spec.metrics.0.expression']);
  });
});
