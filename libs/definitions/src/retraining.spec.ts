import { readDocuments } from './documents';

describe('the retraining policy of a Monitor', () => {
  const faultsOf = (rules: string) =>
    readDocuments(
      'm.yaml',
      `apiVersion: headrace.dev/v1
kind: Monitor
metadata: { name: m }
spec:
  endpoint: e
  label: { stream: s, expression: record.late }
  retraining: { plan: p, on: [drift], ${rules} }
`,
    ).faults.map((fault) => [fault.field, fault.message]);
  const quiet = (from: string, to: string, timeZone: string): string =>
    `quietHours: { from: ${from}, to: ${to}, timeZone: ${timeZone} }`;

  it('may name quiet hours, also over midnight, in the zone whose clocks they go by', () => {
    expect(faultsOf(quiet('"22:00"', '"06:30"', 'Europe/Berlin'))).toEqual([]);
    expect(faultsOf(quiet('"12:00"', '"13:00"', 'UTC'))).toEqual([]);
  });

  it('refuses hours that no clock shows, that never end, and zones that nobody knows', () => {
    expect(faultsOf(quiet('"24:00"', '"06:00"', 'UTC'))).toEqual([
      ['spec.retraining.quietHours.from', 'expected a time of day, "00:00" to "23:59"'],
    ]);
    expect(faultsOf(quiet('22', '"06:00"', 'UTC'))).toEqual([
      ['spec.retraining.quietHours.from', 'expected a time of day in quotes, such as "22:00"'],
    ]);
    expect(faultsOf(quiet('"06:00"', '"06:00"', 'UTC'))).toEqual([
      ['spec.retraining.quietHours.to', expect.stringContaining('would never let a retraining through')],
    ]);
    expect(faultsOf(quiet('"22:00"', '"06:00"', 'Europe/Atlantis'))).toEqual([
      ['spec.retraining.quietHours.timeZone', expect.stringContaining('expected an IANA name')],
    ]);
    expect(faultsOf('quietHours: { from: "22:00", to: "06:00" }').map(([field]) => field)).toEqual([
      'spec.retraining.quietHours.timeZone',
    ]);
  });

  it('may say how many requests a person may leave alone', () => {
    expect(faultsOf('maximumWithoutPerson: 3')).toEqual([]);
    expect(faultsOf('maximumWithoutPerson: 0').map(([field]) => field)).toEqual([
      'spec.retraining.maximumWithoutPerson',
    ]);
  });
});
