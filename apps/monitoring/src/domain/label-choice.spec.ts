import { choosePredictions, type LabelCandidate } from './label-choice';
import type { ReferenceDistribution } from './reference-profile';

const reference: ReferenceDistribution[] = [
  { name: 'distance', std: 100, innerEdges: [], counts: [], sample: [400, 500, 600], windows: undefined },
];
const candidate = (predictionId: string, output: number, distance: number): LabelCandidate => {
  return { predictionId, output, names: ['distance', 'other'], features: [distance, 1] };
};
const ids = (choices: ReturnType<typeof choosePredictions>, reason: string): string[] =>
  choices.filter((choice) => choice.reason === reason).map(({ predictionId }) => predictionId);

describe('choosing predictions for labels', () => {
  const candidates = [
    candidate('sure', 0.99, 500),
    candidate('torn', 0.51, 500),
    candidate('leaning', 0.6, 510),
    candidate('far', 0.97, 2_900),
    candidate('farther', 0.98, 90_000),
    candidate('unknown', 0.96, Number.NaN),
  ];

  it('takes the most uncertain and the farthest from the reference, each prediction once', () => {
    const choices = choosePredictions(candidates, 'binary', reference, 2);
    expect(ids(choices, 'uncertain')).toEqual(['torn', 'leaning']);
    expect(ids(choices, 'drifted')).toEqual(['far', 'farther']);
    expect(choices.filter(({ reason }) => reason === 'drifted').map(({ priority }) => priority)).toEqual([1, 1]);
    expect(ids(choices, 'random').sort()).toEqual(['sure', 'unknown']);
  });

  it('calls nothing uncertain in a regression, and nothing drifted without a reference', () => {
    const choices = choosePredictions(candidates, 'regression', undefined, 3);
    expect(new Set(choices.map(({ reason }) => reason))).toEqual(new Set(['random']));
    expect(choosePredictions(candidates, 'regression', undefined, 3)).toEqual(choices);
  });
});
