import type { AuditEntry, EndpointHistoryEntry } from '@headrace/contracts/proto/registry/v1/registry_service';
import { approvalsOf, servingChange, waiverOf, type Asked } from './served-by';

function change(generation: number, name: string, version: number, previousVersion = 0): EndpointHistoryEntry {
  const change = { endpoint: 'e', model: 'm', change: name, version, previousVersion, reason: '', actor: 'policy' };
  return { change: { ...change, generation }, atMicros: generation * 10, eventId: `event-${generation}` };
}

const history = [
  change(1, 'deployed', 1),
  change(2, 'canary_started', 2, 1),
  change(3, 'canary_advanced', 2, 1),
  change(4, 'rolled_back', 2, 1),
  change(5, 'canary_started', 3, 1),
  change(6, 'promoted', 3, 1),
  change(7, 'reconfigured', 3, 3),
  change(8, 'canary_started', 4, 3),
];
const champion: Asked = {
  endpoint: 'e',
  model: 'm',
  version: 3,
  assignment: 'champion',
  deploymentGeneration: 8,
  servedAtMicros: 85,
  registeredAtMicros: 45,
};
const served = (asked: Partial<Asked>): string | undefined =>
  servingChange(history, { ...champion, ...asked })?.eventId;

describe('the change that let a version answer', () => {
  it('is the promotion of a champion, whatever changed since', () => {
    expect(served({})).toBe('event-6');
    expect(served({ version: 1, deploymentGeneration: 5 })).toBe('event-1');
  });

  it('is the newest step of a candidate, up to the generation that the gateway followed', () => {
    expect(served({ version: 2, assignment: 'canary', deploymentGeneration: 2 })).toBe('event-2');
    expect(served({ version: 2, assignment: 'canary', deploymentGeneration: 3 })).toBe('event-3');
  });

  it('is the change of that generation where a guardrail or the fallback value took over', () => {
    expect(served({ version: 1, assignment: 'fallback', deploymentGeneration: 7 })).toBe('event-7');
    expect(served({ version: 0, assignment: '' })).toBe('event-8');
  });
});

describe('who decided', () => {
  const entry = (
    sequence: number,
    action: string,
    subject: string,
    detail: object,
    atMicros = sequence,
  ): AuditEntry => {
    return {
      sequence,
      atMicros,
      actor: `actor-${sequence}`,
      action,
      subject,
      detailJson: JSON.stringify(detail),
      hash: '',
    };
  };
  const entries = [
    entry(1, 'definition.applied', 'Model/m', {}),
    entry(2, 'definition.applied', 'Endpoint/e', {}),
    entry(3, 'definition.applied', 'Model/m', {}),
    entry(4, 'gates.waived', 'Model/m/3', { gates: ['close_enough'], reason: 'a drill', role: 'approver' }, 46),
    entry(5, 'scoring.requested', 'Model/m/3', { version: 3 }, 47),
    entry(6, 'endpoint.canary_started', 'Endpoint/e', { version: 3, generation: 5 }, 50),
    entry(7, 'endpoint.step_passed', 'Endpoint/e', { version: 3 }, 55),
    // Its clock is ahead of the gateway's.
    entry(8, 'endpoint.promoted', 'Endpoint/e', { version: 3, generation: 6 }, 90),
    entry(9, 'alias.changed', 'Model/m', { alias: 'champion', version: 3 }, 60),
    entry(10, 'definition.applied', 'Model/m', {}, 70),
    entry(11, 'endpoint.canary_started', 'Endpoint/e', { version: 4, generation: 8 }, 80),
    entry(12, 'endpoint.promoted', 'Endpoint/e', { version: 3, generation: 9 }, 84),
    entry(13, 'definition.applied', 'Endpoint/e', {}, 86),
  ];
  const found = approvalsOf(entries, champion);

  it('are the waivers and changes about the version until then, under the definitions of then', () => {
    expect(found.map(({ sequence }) => sequence)).toEqual([2, 3, 4, 6, 7, 8, 9]);
  });

  it('names who waived a gate', () => {
    expect(waiverOf('close_enough', found)?.actor).toBe('actor-4');
    expect(waiverOf('same_in_onnx', found)).toBeUndefined();
  });

  it('are of the endpoint alone for the fallback value', () => {
    const fallback = { ...champion, version: 0, assignment: '', registeredAtMicros: 0 };
    expect(approvalsOf(entries, fallback).map(({ sequence }) => sequence)).toEqual([2]);
  });
});
