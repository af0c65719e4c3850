import { compileMetric, metricFault, metricFieldsOf } from './metric-expressions';

const row = {
  prediction: { output: 0.8, score: 0.6, version: 3 },
  label: 0,
  features: { distance: 250 },
  record: { fee: 12.5, kind: 'express' },
};

describe('an expression over one labelled prediction', () => {
  it('sees what was answered, what the judged version said, the label, features and the record of the label', () => {
    const of = (source: string) => compileMetric(source)(row);
    expect(of('prediction.output - prediction.score')).toEqual({ kind: 'number', value: expect.closeTo(0.2, 12) });
    expect(of('prediction.score >= 0.5 && label == 0 ? 5.0 : 0.0')).toEqual({ kind: 'number', value: 5 });
    expect(of('prediction.version == 3')).toEqual({ kind: 'truth', value: true });
    expect(of('record.kind == "express" ? record.fee * features.distance / 100.0 : 0.0')).toEqual({
      kind: 'number',
      value: 31.25,
    });
  });

  it('fails openly where a field is missing or the result is no number, and may ask whether it is there', () => {
    expect(compileMetric('features.speed * 2.0')(row)).toEqual({ kind: 'failed', message: 'field not found: speed' });
    expect(compileMetric('1.0 / label')(row)).toEqual({ kind: 'failed', message: 'it gives Infinity' });
    expect(compileMetric('record.kind')(row)).toEqual({ kind: 'failed', message: 'it gives a string' });
    const safe = 'has(features.speed) ? features.speed : 1.0';
    expect(compileMetric(safe)(row)).toEqual({ kind: 'number', value: 1 });
    expect(metricFieldsOf(safe).features).toEqual(['speed']);
  });

  it('is refused when it reads what monitoring does not keep', () => {
    expect(metricFault('request.amount * label')).toContain('monitoring does not keep what a request was asked with');
    expect(metricFault('entities.customer == "x"')).toContain('send it with the label (record)');
    expect(metricFault('payload.amount')).toBe('"payload" is not known: expected prediction, label, features, record');
    expect(metricFault('prediction.fallback')).toBe(
      'found prediction.fallback, expected prediction.output, prediction.score, prediction.version',
    );
    expect(metricFault('features.size() > 2 ? 1.0 : 0.0')).toContain('name the fields that are read');
  });

  it('is refused when it can give no number for any row, such as a double times an int', () => {
    expect(metricFault('label * 5')).toContain('write 5.0, not 5');
    expect(metricFault('prediction.score > 0.5 ? "a" : "b"')).toContain('it gives a string');
    for (const good of ['label * 5.0', 'label == 1', 'features.distance > 100 ? 1.0 : 0.0', 'record.fee * 2.0']) {
      expect(metricFault(good)).toBeUndefined();
    }
    expect(metricFault('[0.1, 0.9].exists(x, x > prediction.score)')).toBeUndefined();
  });
});
