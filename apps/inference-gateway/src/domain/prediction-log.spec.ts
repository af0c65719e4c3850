import { createHmac } from 'node:crypto';
import { PersonalTreatment } from '@headrace/contracts/proto/registry/v1/registry_events';
import { aDeployment, aDeploymentChanged, aPredictRequest, aVector, flightColumns } from '../../test/builders';
import { setUp } from '../../test/answering';
import { isLogged, PersonalData } from './prediction-log';

const KEY = 'a key that is 32 characters long';
const { OMIT, PSEUDONYM, UNSPECIFIED } = PersonalTreatment;
const declaring = (personal: Readonly<Record<string, PersonalTreatment>>) => {
  const { behaviour, ...changed } = aDeploymentChanged();
  if (!behaviour) throw new Error('the builder gives a behaviour');
  const fields = Object.entries(personal).map(([name, treatment]) => ({ name, treatment }));
  return aDeploymentChanged({ ...changed, behaviour: { ...behaviour, personal: fields } });
};
const logged = async (personal: Readonly<Record<string, PersonalTreatment>>, request = {}, pseudonymKey = KEY) => {
  const { answer, log } = setUp({ changed: declaring(personal), pseudonymKey });
  const { response } = await answer.answer(aPredictRequest(request), Infinity);
  const [event] = log;
  if (!event) throw new Error('nothing was logged');
  return { event, response };
};

describe('personal data and the prediction log', () => {
  it('omits an entity and a request field with every feature that is made of it; the answer has them', async () => {
    const { event, response } = await logged({ origin: OMIT, distance: OMIT });
    expect(event.entities).toEqual({ destination: 'ORD' });
    expect(Object.keys(event.request)).toEqual(['flight', 'local_hour']);
    const kept = flightColumns.flatMap(({ name }, index) => (name === 'distance' ? [] : [{ name, index }]));
    expect(kept).toHaveLength(flightColumns.length - 1);
    expect(event.featureNames).toEqual(kept.map(({ name }) => name));
    expect(event.featureValues).toEqual(kept.map(({ index }) => aVector().values[index]));
    expect(event.featureStatuses).toHaveLength(kept.length);
    expect(response.features.map(({ name }) => name)).toEqual(flightColumns.map(({ name }) => name));
    expect(event.joinKey).toBe('f-1');
  });

  it('gives a value the same pseudonym each time, another one as another field and by another key', async () => {
    const tags = { origin: PSEUDONYM, destination: PSEUDONYM };
    const { entities } = (await logged(tags, { entities: { origin: 'ATL', destination: 'ATL' } })).event;
    const expected = createHmac('sha256', KEY).update('origin\0ATL').digest().subarray(0, 16).toString('base64url');
    expect(entities['origin']).toBe(expected);
    expect(entities['destination']).not.toBe(expected);
    expect((await logged(tags)).event.entities['origin']).toBe(expected);
    expect((await logged(tags, {}, KEY.toUpperCase())).event.entities['origin']).not.toBe(expected);
  });

  it('makes texts of numbers, and leaves null what it is', async () => {
    const { request, featureNames } = (await logged({ distance: PSEUDONYM })).event;
    expect(request['distance']?.kind).toMatchObject({
      $case: 'stringValue',
      value: expect.stringMatching(/^[\w-]{22}$/),
    });
    expect(featureNames).not.toContain('distance');
    const absent = { ...aPredictRequest().request, distance: { kind: undefined } };
    expect((await logged({ distance: PSEUDONYM }, { request: absent })).event.request['distance']).toEqual({
      kind: undefined,
    });
  });

  it('omits where there is no key, and what it does not know how to treat', async () => {
    const personal = declaring({ origin: PSEUDONYM, destination: UNSPECIFIED });
    const { answer, log } = setUp({ changed: personal });
    await answer.answer(aPredictRequest(), Infinity);
    expect(log[0]?.entities).toEqual({});
    const without = new PersonalData(undefined);
    expect(without.lacksKey(aDeployment(personal))).toBe(true);
    expect(without.lacksKey(aDeployment(declaring({ origin: OMIT })))).toBe(false);
    expect(new PersonalData(KEY).lacksKey(aDeployment(personal))).toBe(false);
  });

  it('holds for the fallback too', async () => {
    const { answer, log } = setUp({ changed: declaring({ origin: OMIT }), outcome: { kind: 'late' } });
    await answer.answer(aPredictRequest(), Infinity);
    expect(log[0]).toMatchObject({ fallback: true, entities: { destination: 'ORD' } });
  });
});

describe('the sample of the prediction log', () => {
  it('is decided by the prediction id alone, and as large as declared', () => {
    const ids = Array.from({ length: 10_000 }, (_, index) => `prediction-${index}`);
    const share = ids.filter((id) => isLogged(id, 0.25)).length / ids.length;
    expect(Math.abs(share - 0.25)).toBeLessThan(0.02);
    expect(ids.filter((id) => isLogged(id, 0.25) && !isLogged(id, 0.5))).toEqual([]);
    expect(ids.every((id) => isLogged(id, 1) && !isLogged(id, 0))).toBe(true);
  });
});
