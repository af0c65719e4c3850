import { readDocuments, validateDefinition, versionOf } from './index';

const model = `apiVersion: headrace.dev/v1
kind: Model
metadata:
  name: late-arrival
spec:
  task: binary
`;

describe('reading definitions', () => {
  it('fills in what the user left out', () => {
    const { definitions, faults } = readDocuments('model.yaml', model);
    expect(faults).toEqual([]);
    expect(definitions[0]?.spec).toMatchObject({ gates: [], promotion: 'automatic' });
  });

  it('names file, line, field and what is allowed', () => {
    const { faults } = readDocuments('model.yaml', model.replace('binary', 'binry'));
    expect(faults).toEqual([
      {
        file: 'model.yaml',
        line: 6,
        field: 'spec.task',
        message: expect.stringContaining('"binary"|"regression"') as string,
      },
    ]);
  });

  it('refuses a field that the kind does not have, on its own line', () => {
    const { faults } = readDocuments('model.yaml', `${model}  gatez: []\n`);
    expect(faults).toMatchObject([{ line: 7, field: 'spec.gatez', message: 'is not a field of this kind' }]);
  });

  it('lists every fault of several documents', () => {
    const { faults } = readDocuments(
      'a.yaml',
      `${model.replace('binary', 'x')}---\n${model.replace('late-arrival', 'Late Arrival')}`,
    );
    expect(faults.map((fault) => [fault.line, fault.field])).toEqual([
      [6, 'spec.task'],
      [11, 'metadata.name'],
    ]);
  });

  it('says which kinds there are', () => {
    expect(validateDefinition({ kind: 'Modell' })).toMatchObject({
      kind: 'invalid',
      faults: [{ path: ['kind'], message: expect.stringContaining('DataStream, FeatureView') as string }],
    });
  });

  it('points at broken YAML', () => {
    expect(readDocuments('b.yaml', 'kind: [Model\nspec: {').faults[0]).toMatchObject({ file: 'b.yaml' });
  });

  it('refuses an expression that is not CEL, where it stands', () => {
    const view = `apiVersion: headrace.dev/v1
kind: FeatureView
metadata: { name: v }
spec:
  source: s
  entity: { name: e, key: record.e }
  features:
    - { name: f, function: mean, of: "record.x >", window: 3h }
`;
    expect(readDocuments('v.yaml', view).faults).toMatchObject([{ line: 8, field: 'spec.features.0.of' }]);
  });

  it('gives the same content the same version, whatever the order of its fields', () => {
    const one = readDocuments('a', model).definitions[0];
    const other = readDocuments(
      'b',
      model.replace('spec:\n  task: binary\n', 'spec:\n  promotion: automatic\n  task: binary\n'),
    ).definitions[0];
    expect(one && other && versionOf(one) === versionOf(other)).toBe(true);
  });

  describe('of an Endpoint', () => {
    const faultsOf = (spec: object): string[] => {
      const input = { apiVersion: 'headrace.dev/v1', kind: 'Endpoint', metadata: { name: 'late' } };
      const result = validateDefinition({ ...input, spec: { model: 'late', joinKey: 'flight', ...spec } });
      return result.kind === 'valid' ? [] : result.faults.map(({ path, message }) => `${path.join('.')}: ${message}`);
    };

    it('accepts every strategy with what it needs', () => {
      for (const rollout of [
        { strategy: 'direct' },
        {
          steps: [
            { weight: 5, pause: '10m' },
            { weight: 50, pause: 'until-resumed' },
          ],
        },
        { strategy: 'blue-green', keepPrevious: '1h' },
        { strategy: 'ab', unit: 'customer', steps: [{ weight: 50 }] },
        { strategy: 'shadow' },
        { strategy: 'champion-challenger' },
      ]) {
        expect(faultsOf({ rollout })).toEqual([]);
      }
    });

    it('says what a strategy misses, or has no use for', () => {
      expect(faultsOf({ rollout: { strategy: 'ab' } })[0]).toMatch(/^spec\.rollout\.unit: required by strategy ab/);
      expect(faultsOf({ rollout: { unit: 'customer' } })).toEqual([
        'spec.rollout.unit: is for strategy ab, not for canary',
      ]);
      expect(faultsOf({ rollout: { keepPrevious: '1h' } })).toEqual([
        'spec.rollout.keepPrevious: is for strategy blue-green, not for canary',
      ]);
      expect(faultsOf({ rollout: { steps: [{ weight: 5, pause: 'soon' }] } })[0]).toMatch(
        /^spec\.rollout\.steps\.0\.pause: .*or "until-resumed"/,
      );
    });

    it('takes personal fields, never the one that labels are joined by', () => {
      expect(faultsOf({ logging: { personal: { customer: 'pseudonym', email: 'omit' } } })).toEqual([]);
      expect(faultsOf({ logging: { personal: { flight: 'pseudonym' } } })).toEqual([
        expect.stringMatching(/^spec\.logging\.personal\.flight: labels are joined by "flight"/),
      ]);
      expect(faultsOf({ logging: { personal: { email: 'mask' } } })[0]).toMatch(
        /^spec\.logging\.personal\.email: .*"omit"\|"pseudonym"/,
      );
    });

    it('asks guardrails for what their actions need', () => {
      const lowConfidence = (action: string): object => ({ lowConfidence: { action, below: 0.7 } });
      expect(faultsOf({ guardrails: lowConfidence('flag') })).toEqual([]);
      expect(faultsOf({ guardrails: lowConfidence('default') })).toEqual([
        'spec.guardrails.lowConfidence.action: default answers spec.fallback: declare one',
      ]);
      expect(faultsOf({ guardrails: lowConfidence('fallback-model') })).toEqual([
        'spec.guardrails.lowConfidence.action: fallback-model needs spec.guardrails.fallbackVersion',
      ]);
      expect(faultsOf({ guardrails: { ...lowConfidence('flag'), fallbackVersion: 3 } })).toEqual([
        'spec.guardrails.fallbackVersion: no guardrail has the action fallback-model',
      ]);
      const complete = { guardrails: { ...lowConfidence('fallback-model'), fallbackVersion: 3 } };
      expect(faultsOf(complete)).toEqual([]);
    });
  });
});

describe('drift tests of a Monitor', () => {
  const monitor = (test: string) => `apiVersion: headrace.dev/v1
kind: Monitor
metadata: { name: m }
spec:
  endpoint: e
  label: { stream: s, expression: record.late }
  drift:
    tests: [${test}]
`;
  const faultsOf = (test: string) =>
    readDocuments('m.yaml', monitor(test)).faults.map((fault) => [fault.field, fault.message]);
  const threshold = 'spec.drift.tests.0.threshold';

  it('need a threshold, unless the test is the default one', () => {
    expect(faultsOf('{ subject: prediction, statistic: default }')).toEqual([]);
    expect(faultsOf('{ subject: prediction, statistic: psi, threshold: 2.5 }')).toEqual([]);
    expect(faultsOf('{ subject: prediction, statistic: psi }')).toEqual([[threshold, 'required by psi']]);
    expect(faultsOf('{ subject: a, statistic: default, threshold: 0.1 }')).toEqual([
      [threshold, expect.stringContaining('name the statistic instead')],
    ]);
  });

  it('have a false discovery rate below 1 for p-values', () => {
    expect(faultsOf('{ subject: a, statistic: ks_p, threshold: 0.05 }')).toEqual([]);
    expect(faultsOf('{ subject: a, statistic: ks_p, threshold: 1 }')).toEqual([
      [threshold, expect.stringContaining('below 1')],
    ]);
  });

  it('may be declared by their false alarms, where the reference has windows for it', () => {
    expect(faultsOf('{ subject: prediction, statistic: psi, falseAlarms: 0.1 }')).toEqual([]);
    expect(faultsOf('{ subject: prediction, statistic: js, falseAlarms: 0.1, threshold: 0.2 }')).toEqual([]);
    const falseAlarms = 'spec.drift.tests.0.falseAlarms';
    expect(faultsOf('{ subject: prediction, statistic: psi, falseAlarms: 0.9 }')).toEqual([
      [falseAlarms, expect.stringContaining('0.5')],
    ]);
    expect(faultsOf('{ subject: prediction, statistic: ks, threshold: 0.2, falseAlarms: 0.1 }')).toEqual([
      [falseAlarms, expect.stringContaining('for ks name a threshold')],
    ]);
    expect(faultsOf('{ subject: prediction, statistic: ks_p, threshold: 0.05, falseAlarms: 0.1 }')).toHaveLength(1);
    expect(faultsOf('{ subject: prediction, statistic: default, falseAlarms: 0.1 }')).toEqual([
      [falseAlarms, expect.stringContaining('name the statistic instead')],
    ]);
  });
});

describe('drift tests of all features together', () => {
  const faultsOf = (drift: string) =>
    readDocuments(
      'm.yaml',
      `apiVersion: headrace.dev/v1
kind: Monitor
metadata: { name: m }
spec: { endpoint: e, label: { stream: s, expression: record.late }, drift: ${drift} }
`,
    ).faults.map((fault) => [fault.field, fault.message]);
  const together = '{ subject: features, statistic: reconstruction_error }';

  it('need no threshold, and take one, or false alarms', () => {
    expect(faultsOf(`{ tests: [${together}] }`)).toEqual([]);
    expect(faultsOf(`{ tests: [${together}], reference: { kind: training } }`)).toEqual([]);
    for (const more of ['threshold: 4', 'falseAlarms: 0.05', 'threshold: 4, falseAlarms: 0.05']) {
      expect(faultsOf(`{ tests: [${together.replace(' }', `, ${more} }`)}] }`)).toEqual([]);
    }
  });

  it('are of no other subject and no other statistic', () => {
    expect(faultsOf('{ tests: [{ subject: speed, statistic: reconstruction_error }] }')).toEqual([
      ['spec.drift.tests.0.subject', 'reconstruction_error is of all features together: expected "features"'],
    ]);
    expect(faultsOf('{ tests: [{ subject: features, statistic: psi, threshold: 0.2 }] }')).toEqual([
      ['spec.drift.tests.0.statistic', expect.stringContaining('there is reconstruction_error alone')],
    ]);
  });

  it('are refused with a reference that moves, where they stand', () => {
    const psi = '{ subject: speed, statistic: psi, threshold: 0.2 }';
    const reference = 'reference: { kind: moving, windows: 7 }';
    expect(faultsOf(`{ tests: [${psi}, ${together}], ${reference} }`)).toEqual([
      ['spec.drift.tests.1.statistic', expect.stringContaining('not with a moving reference')],
    ]);
    expect(faultsOf(`{ tests: [${psi}], ${reference} }`)).toEqual([]);
  });
});

describe('the window of a Monitor', () => {
  const faultsOf = (window: string) =>
    readDocuments(
      'm.yaml',
      `apiVersion: headrace.dev/v1
kind: Monitor
metadata: { name: m }
spec:
  endpoint: e
  label: { stream: s, expression: record.late }
  window: ${window}
`,
    ).faults.map((fault) => [fault.line, fault.field, fault.message]);

  it('is a length or a number of predictions', () => {
    for (const window of ['6h', '{ predictions: 5000 }', '{ predictions: 5000, maximumAge: 1d }']) {
      expect(faultsOf(window)).toEqual([]);
    }
    expect(faultsOf('[1d]')).toEqual([
      [7, 'spec.window', 'expected a length such as 1d, or a number of predictions: { predictions: 5000 }'],
    ]);
  });

  it('names the field that is at fault in either form', () => {
    expect(faultsOf('1x')).toEqual([[7, 'spec.window', expect.stringContaining('is not a duration')]]);
    expect(faultsOf('{ predictions: 10 }')).toEqual([[7, 'spec.window.predictions', expect.stringContaining('50')]]);
    expect(faultsOf('{ predictions: many }')).toEqual([
      [7, 'spec.window.predictions', expect.stringContaining('number')],
    ]);
    expect(faultsOf('{ prediction: 500 }')).toEqual([
      [7, 'spec.window.predictions', expect.stringContaining('number')],
      [7, 'spec.window.prediction', 'is not a field of this kind'],
    ]);
    expect(faultsOf('{ predictions: 500, maximumAge: 2y }')).toEqual([
      [7, 'spec.window.maximumAge', expect.stringContaining('is not a duration')],
    ]);
  });
});

describe('signals of a Monitor', () => {
  const faultsOf = (rules: string) =>
    readDocuments(
      'm.yaml',
      `apiVersion: headrace.dev/v1
kind: Monitor
metadata: { name: m }
spec:
  endpoint: e
  label: { stream: s, expression: record.late }
  ${rules}
`,
    ).faults.map((fault) => [fault.field, fault.message]);

  it('may rest on what can be estimated without labels', () => {
    expect(faultsOf('estimate: { tests: [{ statistic: f1, worseBy: 0.1 }] }')).toEqual([]);
    expect(faultsOf('estimate: { tests: [{ statistic: f1, worseByFactor: 2 }] }')).toEqual([
      ['spec.estimate.tests.0.worseByFactor', 'is for losses; for f1 use worseBy'],
    ]);
    expect(faultsOf('estimate: { tests: [{ statistic: brier, worseBy: 0.1 }] }')).toEqual([
      ['spec.estimate.tests.0.statistic', expect.stringContaining('"accuracy"|"precision"')],
    ]);
  });

  it('may rest on detectors of errors, each at most once and with its own settings', () => {
    expect(faultsOf('concept: { detectors: [{ detector: ddm }, { detector: page_hinkley, threshold: 9 }] }')).toEqual(
      [],
    );
    expect(faultsOf('concept: { detectors: [{ detector: ddm }, { detector: ddm }] }')).toEqual([
      ['spec.concept.detectors', 'expected each detector at most once'],
    ]);
    expect(faultsOf('concept: { detectors: [{ detector: ddm, alpha: 0.1 }] }')).toEqual([
      ['spec.concept.detectors.0.alpha', 'is not a field of this kind'],
    ]);
    expect(faultsOf('concept: { detectors: [{ detector: cusum }] }')).toEqual([
      ['spec.concept.detectors.0.detector', expect.any(String)],
    ]);
  });
});

describe('slices of a Monitor', () => {
  const faultsOf = (slices: string) =>
    readDocuments(
      'm.yaml',
      `apiVersion: headrace.dev/v1
kind: Monitor
metadata: { name: m }
spec:
  endpoint: e
  label: { stream: s, expression: record.late }
  slices: ${slices}
`,
    ).faults.map((fault) => [fault.field, fault.message]);

  it('are cut at edges or name values, not both and not neither', () => {
    expect(faultsOf('[{ feature: distance, edges: [500, 1000] }, { feature: weekend, values: [0, 1] }]')).toEqual([]);
    const either = [['spec.slices.0', 'expected either "edges" or "values"']];
    expect(faultsOf('[{ feature: distance }]')).toEqual(either);
    expect(faultsOf('[{ feature: distance, edges: [1], values: [2] }]')).toEqual(either);
  });

  it('are few, of rising edges and of different values, so that what they expose is bounded', () => {
    expect(faultsOf('[{ feature: a, edges: [2, 1] }]')).toEqual([['spec.slices.0.edges', 'expected them to rise']]);
    expect(faultsOf('[{ feature: a, values: [1, 1] }]')).toEqual([
      ['spec.slices.0.values', 'expected each at most once'],
    ]);
    expect(faultsOf('[{ feature: a, edges: [1] }, { feature: a, edges: [2] }]')).toEqual([
      ['spec.slices', 'expected each feature at most once'],
    ]);
    const many = Array.from({ length: 13 }, (_, value) => value).join(', ');
    expect(faultsOf(`[{ feature: a, values: [${many}] }]`)).toHaveLength(1);
    expect(
      faultsOf(
        `[${'abcdef'
          .split('')
          .map((name) => `{ feature: ${name}, edges: [1] }`)
          .join(', ')}]`,
      ),
    ).toHaveLength(1);
  });
});
